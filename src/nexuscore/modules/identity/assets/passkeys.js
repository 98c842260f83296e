"use strict";
// Passkeys: the browser signs, and the form carries what it signed. Where there are none, the buttons stay hidden.

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    const held = form.elements.passkey ?? form.elements.credential;
    if (held.value) return;
    event.preventDefault();
    const failed = form.querySelector("[data-failed]");
    failed.textContent = "";
    try {
      const token = document.cookie.match(/nexus_csrf=([^;]+)/)?.[1];
      const answer = await fetch(form.dataset.passkey, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...(token && { "X-CSRF-Token": token }) },
        body: form.dataset.ask ?? "{}",
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      const made = form.dataset.make !== undefined;
      const credential = made
        ? await navigator.credentials.create({
            publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(said.public_key),
          })
        : await navigator.credentials.get({
            publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(said.public_key),
          });
      held.value = JSON.stringify(credential.toJSON());
      form.requestSubmit();
    } catch (error) {
      failed.textContent = error.name === "Error" && error.message ? error.message : failed.dataset.failed;
      document.dispatchEvent(new CustomEvent("nexus:ready"));
    }
  });
}
