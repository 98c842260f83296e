"use strict";
// What scripts add to pages that work without them: the search from anywhere, copying, a warning before typed text is lost.

const palette = document.getElementById("palette");

function openPalette() {
  if (!palette || palette.matches(":popover-open")) return;
  palette.showPopover();
  const words = palette.querySelector("input");
  words.value = "";
  sift("");
  words.focus();
}

function options() {
  return [...palette.querySelectorAll("a")].filter((link) => !link.closest("[hidden]"));
}

function sift(words) {
  const wanted = words.trim().toLocaleLowerCase();
  for (const item of palette.querySelectorAll("#palette-list > li")) {
    item.hidden = !item.textContent.toLocaleLowerCase().includes(wanted);
  }
  if (!wanted) document.getElementById("palette-found").replaceChildren();
  choose(0);
}

function choose(at) {
  const all = options();
  palette.querySelector(".none").hidden = all.length > 0;
  for (const link of all) link.parentElement.setAttribute("aria-selected", "false");
  const chosen = all[Math.max(0, Math.min(at, all.length - 1))];
  if (!chosen) return;
  chosen.parentElement.setAttribute("aria-selected", "true");
  chosen.scrollIntoView({ block: "nearest" });
}

function chosen() {
  return options().findIndex((link) => link.parentElement.getAttribute("aria-selected") === "true");
}

if (palette) {
  const words = palette.querySelector("input");
  words.addEventListener("input", () => sift(words.value));
  palette.addEventListener("htmx:afterSwap", () => {
    for (const item of palette.querySelectorAll("#palette-found > li")) item.setAttribute("role", "option");
    choose(Math.max(0, chosen()));
  });
  palette.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen() + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      const link = options()[chosen()];
      if (!link) return;
      event.preventDefault();
      link.click();
    }
  });
  for (const opener of document.querySelectorAll("[data-palette]")) {
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      openPalette();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      openPalette();
    }
  });
}

// --- forms -------------------------------------------------------------------------------------------

let leaving = false;
const held = (form) => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, value.name ?? value]));
const shown = new Map([...document.querySelectorAll("form[data-guard]:not([data-dirty])")].map((form) => [form, held(form)]));
const dirty = new Set(document.querySelectorAll("form[data-guard][data-dirty]"));
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-guard]");
  if (form) dirty.add(form);
});
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  const form = event.target;
  if (form.dataset.sending) return event.preventDefault();
  leaving = true;
  form.dataset.sending = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  leaving = false;
  for (const form of document.querySelectorAll("form[data-sending]")) delete form.dataset.sending;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});
window.addEventListener("beforeunload", (event) => {
  if (!leaving && [...dirty].some((form) => form.isConnected && held(form) !== shown.get(form))) event.preventDefault();
});
document.querySelector("[data-focus]")?.focus();
document.querySelector("[data-open]")?.showPopover();
for (const input of document.querySelectorAll("[data-word]")) {
  const check = () => input.setCustomValidity(input.value.trim() === input.dataset.word ? "" : input.dataset.word);
  input.addEventListener("input", check);
  check();
}
for (const zone of document.querySelectorAll("[data-drop]")) {
  const input = zone.querySelector("input");
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

// --- copying, toasts, printing -----------------------------------------------------------------------

function dress(root) {
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
  }
}
dress(document);
document.addEventListener("htmx:load", (event) => dress(event.target));
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.parentElement.querySelector("code").textContent);
    copy.classList.add("done");
    setTimeout(() => copy.classList.remove("done"), 1500);
  }
  if (event.target.closest("[data-print]")) window.print();
});
for (const toast of document.querySelectorAll("[data-toast]")) {
  toast.addEventListener("click", () => toast.remove());
  let timer = setTimeout(() => toast.remove(), 12000);
  toast.addEventListener("mouseenter", () => clearTimeout(timer));
}
