// The API's documentation: reads openapi.json, shows one operation at a time, and tries it out.
// No library, and nothing from another host. Text from the document only ever becomes text nodes.

const BASE = location.origin + location.pathname.replace(/\/api\/docs\/?$/, "");
const JSON_TYPE = "application/json";
const byId = (id) => document.getElementById(id);
let api;
let operations = [];
let best; // the operation Enter opens: the first found by its name or path, else the first found

// --- elements ------------------------------------------------------------------------------------

/** An element with classes, attributes and children: el("a.method", {href: "#"}, "GET"). */
function el(kind, attributes, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** Words with `code` in backticks. */
function inline(text) {
  return text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? el("code", {}, part) : part));
}

/** A description: paragraphs and lists, nothing more. */
function prose(text) {
  return (text ?? "").split(/\n\s*\n/).filter(Boolean).map((block) => {
    const lines = block.split("\n");
    if (!lines.every((line) => /^\s*[-*] /.test(line))) return el("p", {}, inline(block));
    return el("ul", {}, lines.map((line) => el("li", {}, inline(line.trim().slice(2)))));
  });
}

/** JSON with its keys and values told apart; other text as it is. */
function highlighted(text) {
  const parts = text.split(/("(?:[^"\\]|\\.)*"(?:\s*:)?|\b(?:true|false|null)\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)/);
  return parts.map((part, at) => {
    if (at % 2 === 0) return part;
    const kind = part.endsWith(":") ? "key" : part.startsWith('"') ? "string" : "literal";
    return el(`span.${kind}`, {}, part);
  });
}

/** A block of code the keyboard can scroll, with a button that copies it. */
function codeBlock(label, text, isJson = false) {
  const code = el("code", {}, isJson ? highlighted(text) : text);
  const copy = el("button.copy", {
    type: "button",
    "aria-label": `Copy: ${label}`,
    onclick: async () => {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 1500);
    },
  }, "Copy");
  const pre = el("pre", { tabindex: 0, role: "group", "aria-label": label }, code);
  const block = el("div.block", {}, pre, navigator.clipboard && copy);
  block.show = (changed) => code.replaceChildren(...[isJson ? highlighted(changed) : changed].flat());
  return block;
}

// --- schemas -------------------------------------------------------------------------------------

/** A response or the like itself, its reference followed. */
const shared = (found, kind) => (found.$ref ? api.components[kind][found.$ref.split("/").pop()] ?? {} : found);

/** The schema itself, its references followed; `called` is the name it is known by. */
function resolve(schema) {
  let found = schema ?? {};
  let called = found.title;
  while (found.$ref || found.allOf?.length === 1) {
    const { $ref, allOf, ...beside } = found;
    const target = $ref ? api.components.schemas[$ref.split("/").pop()] ?? {} : allOf[0];
    called = target.title ?? $ref?.split("/").pop() ?? called;
    found = { ...target, ...beside };
  }
  return { ...found, called };
}

/** What a value may be, null left out: the schema, or the choices of a union. */
function choices(schema) {
  const found = resolve(schema);
  return (found.anyOf ?? found.oneOf ?? [found]).map(resolve).filter((one) => one.type !== "null");
}

function isNullable(schema) {
  const found = resolve(schema);
  return [found, ...(found.anyOf ?? found.oneOf ?? [])].some((one) => [one.type].flat().includes("null"));
}

/** A type in words: "list of NoteOut", "text (uuid) or null". */
function typeText(schema) {
  const names = choices(schema).map((one) => {
    if ("const" in one) return JSON.stringify(one.const);
    if (one.enum) return "choice";
    const type = [one.type].flat().filter((each) => each !== "null")[0];
    if (type === "array") return `list of ${one.items ? typeText(one.items) : "anything"}`;
    if (one.properties) return one.called ?? "object";
    if (type === "object") {
      return typeof one.additionalProperties === "object" ? `map to ${typeText(one.additionalProperties)}` : "object";
    }
    return one.format ? `${type ?? "anything"} (${one.format})` : type ?? "anything";
  });
  return [...new Set(names), ...(isNullable(schema) ? ["null"] : [])].join(" or ");
}

/** "1 to 200 characters", "at least 1", "at most 100 items"; undefined without a limit. */
function range(least, most, unit = "") {
  const counted = (number) => number.toLocaleString("en") + (unit && ` ${unit}${number === 1 ? "" : "s"}`);
  if (least === undefined) return most === undefined ? undefined : `at most ${counted(most)}`;
  if (most === undefined) return `at least ${counted(least)}`;
  return least === most ? counted(most) : `${least.toLocaleString("en")} to ${counted(most)}`;
}

/** What a value must keep to, as short phrases. */
function limits(schema) {
  const phrases = choices(schema).flatMap((one) => [
    ...(one.enum ?? []).map((value) => el("code", {}, JSON.stringify(value))),
    ...[
      range(one.minLength, one.maxLength, "character"),
      range(one.minItems, one.maxItems, "item"),
      range(one.minimum, one.maximum),
      one.exclusiveMinimum !== undefined && `more than ${one.exclusiveMinimum}`,
      one.exclusiveMaximum !== undefined && `less than ${one.exclusiveMaximum}`,
    ].filter(Boolean),
    ...(one.pattern ? [["matches ", el("code", {}, one.pattern)]] : []),
    ...(one.items && limits(one.items).length ? [["each: ", ...limits(one.items)]] : []),
  ]);
  const given = resolve(schema).default ?? undefined;
  if (given !== undefined) phrases.push(["default ", el("code", {}, JSON.stringify(given))]);
  return phrases.flatMap((phrase, at) => [at ? ", " : "", phrase].flat());
}

/** The objects inside a schema: itself, its items, its choices. */
function objectsIn(schema) {
  return choices(schema).flatMap((one) => {
    if (one.properties) return [one];
    const inner = one.items ?? one.additionalProperties;
    return typeof inner === "object" ? objectsIn(inner) : [];
  });
}

/** One field or parameter, with the fields inside it. `sent` is what a caller writes, the rest is what we answer. */
function fieldItem(name, schema, { required, place, description, sent = true, above = [] }) {
  const says = description ?? resolve(schema).description;
  const rules = limits(schema);
  return el("li", {},
    el("div.field", {},
      el("code.name", {}, name),
      el("span.type", {}, typeText(schema)),
      place && el("span.note", {}, `in ${place}`),
      sent && required && el("span.required", {}, "required"),
      !sent && !required && el("span.note", {}, "not always there")),
    says && !objectsIn(schema).length && el("p", {}, inline(says)),
    rules.length > 0 && el("p.note", {}, rules),
    objectsIn(schema).map((one) => nested(one, sent, above)));
}

function nested(schema, sent, above) {
  if (above.includes(schema.called)) return el("p.note", {}, `The fields of ${schema.called}, as above.`);
  return el("details", { open: above.length < 2 },
    el("summary", {}, `Fields of ${schema.called ?? "the object"}`), fieldList(schema, sent, above));
}

function fieldList(schema, sent, above = []) {
  const inside = [...above, schema.called];
  return el("ul.fields", {}, Object.entries(schema.properties).map(([name, field]) =>
    fieldItem(name, field, { required: schema.required?.includes(name), sent, above: inside })));
}

/** What a body is made of: its fields, or those of the objects in it. */
function bodyFields(schema, sent) {
  const objects = objectsIn(schema);
  return objects.length === 1 && choices(schema)[0].properties
    ? fieldList(objects[0], sent)
    : objects.map((one) => nested(one, sent, []));
}

const SAMPLES = {
  uuid: "00000000-0000-0000-0000-000000000000", "date-time": "2026-11-20T12:00:00Z", date: "2026-11-20",
  email: "name@example.com", uri: "https://example.com", binary: "",
};

/** A value to start from: what must be there, and what has a default. */
function sample(schema, above = []) {
  const one = choices(schema)[0] ?? {};
  const { default: given, examples } = { ...one, ...resolve(schema) };
  if (examples?.length) return examples[0];
  if (given !== undefined && given !== null) return given;
  if ("const" in one || one.enum) return one.const ?? one.enum[0];
  if (one.properties) {
    if (above.includes(one.called)) return {};
    const all = Object.keys(one.properties);
    const wanted = all.filter((name) => one.required?.includes(name) || resolve(one.properties[name]).default);
    const inside = [...above, one.called];
    return Object.fromEntries((wanted.length ? wanted : all).map((name) => [name, sample(one.properties[name], inside)]));
  }
  if (one.type === "array") return one.minItems || !above.length ? [sample(one.items, above)] : [];
  if (one.type === "integer" || one.type === "number") return one.minimum ?? 0;
  if (one.type === "boolean") return false;
  if (one.type === "object") return {};
  return SAMPLES[one.format] ?? "text".padEnd(one.minLength ?? 0, "t");
}

// --- one operation -------------------------------------------------------------------------------

/** A path that may break after a slash. */
function pathCode(path) {
  return el("code", {}, path.split(/(?<=\/)(?=.)/).flatMap((part, at) => (at ? [el("wbr"), part] : [part])));
}

const methodBadge = (method) => el(`span.method.${method}`, {}, method.toUpperCase());
const errorOf = (code) => api["x-errors"]?.find((error) => error.code === code);

/** Who may call it, in a sentence. */
function access(operation) {
  const permission = operation["x-permission"];
  const known = api["x-permissions"]?.[permission];
  const fresh = operation["x-fresh"] && " You must have proved a moment ago that it is you.";
  if (operation["x-public"]) return el("p.access", {}, el("strong", {}, "Everybody. "), inline(operation["x-public"]));
  if (!permission) return el("p.access", {}, el("strong", {}, "Everybody who is signed in."), fresh);
  return el("p.access", {},
    el("strong", {}, "Needs ", el("code", {}, permission), ". "), known?.meaning,
    known?.roles.length > 0 && ` At first held by: ${known.roles.join(", ")}.`, fresh);
}

/** The type and schema of a request or an answer: the first that is named. */
function bodyOf(said) {
  const [type, content] = Object.entries(said?.content ?? {})[0] ?? [];
  return type && { type, schema: content.schema, required: said.required };
}

function answersView(operation) {
  return Object.entries(operation.responses).filter(([status]) => status < "300").map(([status, answer]) => {
    const body = bodyOf(answer);
    return el("section", {},
      el("h3", {}, el("span.status.good", {}, status), " ", body && typeText(body.schema)),
      el("p", {}, inline(answer.description)),
      body && body.type !== JSON_TYPE && el("p.note", {}, body.type),
      body && bodyFields(body.schema, false));
  });
}

function errorsView(operation) {
  return el("ul.errors", {}, Object.entries(operation.responses).flatMap(([status, answer]) =>
    (shared(answer, "responses")["x-codes"] ?? []).map((code) => el("li", {}, el("span.status.bad", {}, status), " ",
      el("a", { href: `#${code}` }, el("code", {}, code)), " ", errorOf(code)?.message))));
}

function operationView(operation) {
  const body = bodyOf(operation.requestBody);
  const parameters = operation.parameters ?? [];
  return el("article.operation", {},
    el("div.about", {},
      el("h1", { tabindex: -1 }, operation.summary),
      el("p.address", {}, methodBadge(operation.method), " ", pathCode(operation.path)),
      prose(operation.description),
      operation.deprecated && el("p.required", {}, "Deprecated: it will go away."),
      access(operation),
      operation["x-no-idempotency"] && el("p.note", {}, "Takes no idempotency key: ", inline(operation["x-no-idempotency"])),
      parameters.length > 0 && el("section", {}, el("h2", {}, "Parameters"),
        el("ul.fields", {}, parameters.map((one) =>
          fieldItem(one.name, one.schema, { required: one.required, place: one.in, description: one.description })))),
      body && el("section", {}, el("h2", {}, "Body"),
        el("h3", {}, typeText(body.schema)), el("p", {}, inline(resolve(body.schema).description ?? "")),
        body.type !== JSON_TYPE && el("p.note", {}, body.type), bodyFields(body.schema, true)),
      el("section", {}, el("h2", {}, "Answer"), answersView(operation)),
      el("section", {}, el("h2", {}, "Errors"), errorsView(operation),
        el("p.note", {}, "Each is a problem (application/problem+json). ", el("a", { href: "#/errors" }, "All errors")))),
    tryView(operation, parameters, body));
}

// --- trying it -----------------------------------------------------------------------------------

/** A labelled input; `kept` names it in this tab's storage. */
function inputFor(label, { schema = {}, required = false, kept, secret = false, hint } = {}) {
  const one = choices(schema)[0] ?? {};
  const id = `try-${label.replace(/\W+/g, "-")}`;
  const values = one.type === "boolean" ? [true, false] : one.enum;
  const given = resolve(schema).default ?? undefined;
  const note = hint ?? (values && given !== undefined && `${given} unless chosen`);
  const attributes = { id, required, autocomplete: "off", spellcheck: "false", "aria-describedby": note && `${id}-hint` };
  const input = values
    ? el("select", attributes, el("option", { value: "" }, ""), values.map((value) => el("option", {}, String(value))))
    : el("input", {
        ...attributes,
        type: secret ? "password" : one.type === "integer" ? "number" : "text",
        min: one.minimum, max: one.maximum, placeholder: given,
      });
  if (kept) {
    input.value = sessionStorage.getItem(kept) ?? "";
    input.addEventListener("input", () => sessionStorage.setItem(kept, input.value.trim()));
  }
  const heading = el("label", { for: id }, label, required && el("span.required", {}, " required"));
  return { input, row: el("div.row", {}, heading, input, note && el("p.note", { id: `${id}-hint` }, inline(note))) };
}

function tryView(operation, parameters, body) {
  const isSecured = operation.security?.length > 0;
  const token = isSecured && inputFor("Bearer token", { kept: "nexus-token", secret: true, hint: "Kept in this tab only." });
  const orgHint = "Its id, sent as `Nexus-Org`. Without it, your default.";
  const org = isSecured && inputFor("Organisation", { kept: "nexus-org", hint: orgHint });
  const inputs = parameters.map((one) => ({ one, ...inputFor(one.name, { schema: one.schema, required: one.required }) }));
  const text = body && el("textarea", { id: "try-body", rows: 8, spellcheck: "false", required: body.required });
  if (text) text.value = body.type === JSON_TYPE ? JSON.stringify(sample(body.schema), null, 2) : "";

  const request = () => {
    let path = operation.path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { one, input } of inputs) {
      const value = input.value.trim();
      const isList = choices(one.schema)[0]?.type === "array";
      if (!value) continue;
      if (one.in === "path") path = path.replace(`{${one.name}}`, encodeURIComponent(value));
      else if (one.in === "header") headers[one.name] = value;
      else for (const each of isList ? value.split(",") : [value]) query.append(one.name, each.trim());
    }
    if (org && org.input.value) headers["Nexus-Org"] = org.input.value.trim();
    if (text?.value.trim()) headers["Content-Type"] = body.type;
    return { url: BASE + path + (query.size ? `?${query}` : ""), headers, sent: text?.value.trim() || undefined };
  };

  const curl = codeBlock("curl command", "");
  const outcome = el("div.outcome", {});
  const verdict = el("p.verdict", { role: "status" });
  const send = el("button.send", { type: "submit" }, "Send");
  const refresh = () => {
    text?.setCustomValidity(body.type === JSON_TYPE ? jsonFault(text.value) : "");
    curl.show(curlOf(operation.method, request(), isSecured));
  };
  const form = el("form", {
    oninput: refresh,
    onsubmit: async (event) => {
      event.preventDefault();
      send.disabled = true;
      verdict.textContent = "Sending.";
      await perform(operation.method, request(), token && token.input.value.trim(), verdict, outcome);
      send.disabled = false;
    },
  }, token && token.row, org && org.row, inputs.map(({ row }) => row),
    text && el("div.row", {}, el("label", { for: "try-body" }, "Body"), text), send);
  refresh();
  return el("section.try", { "aria-labelledby": "try-title" },
    el("h2", { id: "try-title" }, "Try it"), form, verdict, outcome, el("h3", {}, "With curl"), curl);
}

function jsonFault(text) {
  try {
    JSON.parse(text.trim() || "null");
    return "";
  } catch (error) {
    return `This is not JSON: ${error.message}`;
  }
}

/** The same request for a shell. The token stays out of it: put it into $TOKEN. */
function curlOf(method, { url, headers, sent }, isSecured) {
  const quote = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  const parts = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${quote(url)}`];
  if (isSecured) parts.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quote(`${name}: ${value}`)}`);
  if (sent) parts.push(`-d ${quote(sent)}`);
  return parts.join(" \\\n  ");
}

/** Send it and show what came back. Cookies stay out of it, so that curl gets the same answer. */
async function perform(method, { url, headers, sent }, token, verdict, outcome) {
  const started = performance.now();
  const signed = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
  outcome.replaceChildren();
  try {
    const answer = await fetch(url, { method: method.toUpperCase(), headers: signed, body: sent, credentials: "omit" });
    const body = await answer.text();
    const spent = Math.round(performance.now() - started);
    const size = new TextEncoder().encode(body).length;
    verdict.replaceChildren(el(`span.status.${answer.ok ? "good" : "bad"}`, {}, String(answer.status)),
      ` ${answer.statusText} in ${spent} ms, ${size.toLocaleString("en")} bytes`);
    const isJson = /\bjson\b/.test(answer.headers.get("content-type") ?? "") && !jsonFault(body);
    const shown = (isJson && body ? JSON.stringify(JSON.parse(body), null, 2) : body).slice(0, 200_000);
    outcome.append(
      body ? codeBlock("Body of the answer", shown, isJson) : el("p.note", {}, "No body."),
      el("details", {}, el("summary", {}, "Headers of the answer"),
        el("dl", {}, [...answer.headers].map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))));
  } catch (error) {
    verdict.replaceChildren(el("span.status.bad", {}, "No answer"), ` ${error.message}`);
  }
}

// --- other pages ---------------------------------------------------------------------------------

function homeView() {
  const schemes = Object.entries(api.components.securitySchemes ?? {});
  const bearer = "a token in the header `Authorization: Bearer …`";
  return el("article.home", {},
    el("h1", { tabindex: -1 }, `${api.info.title} API`),
    prose(api.info.description),
    el("p", {}, `${operations.length} operations. Choose one, or search with Ctrl K.`),
    el("h2", {}, "Signing in"),
    el("ul", {}, schemes.map(([name, scheme]) => el("li", {}, el("strong", {}, name), ": ",
      inline(scheme.description ?? (scheme.scheme === "bearer" ? bearer : `the ${scheme.in} \`${scheme.name}\``))))),
    el("p", {}, inline("The header `Nexus-Org` names the organisation to act in, when you are in more than one.")),
    el("h2", {}, "Answers"),
    el("p", {}, inline("Lists come in pages of `data` and `page`: follow `page.next_cursor` while `page.has_next`.")),
    el("p", {}, inline("Every failure has the same body, with an `error_code` that does not change: "),
      el("a", { href: "#/errors" }, "all errors"), "."),
    el("p", {}, inline("Every answer names its request in `X-Request-ID`: quote it when you ask for help.")));
}

function errorsPage(code) {
  return el("article.home", {},
    el("h1", { tabindex: -1 }, "Errors"),
    el("p", {}, inline("Decide on `error_code`, which does not change. The texts are for people and may be reworded;"),
      " they come in the language of ", el("code", {}, "Accept-Language"), "."),
    code && !errorOf(code) && el("p.required", {}, inline(`There is no error \`${code}\` in this list.`)),
    el("dl.codes", {}, (api["x-errors"] ?? []).map((error) => el("div",
      { id: error.code, "aria-current": error.code === code && "true" },
      el("dt", {}, el("span.status.bad", {}, String(error.status)), " ", el("code", {}, error.code)),
      el("dd", {}, inline(error.message))))));
}

// --- the list and the way around -----------------------------------------------------------------

function listOperations() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = operations.filter((one) => words.every((word) => one.words.includes(word)));
  best = found.find((one) => words.every((word) => `${one.summary} ${one.path}`.toLowerCase().includes(word))) ?? found[0];
  byId("found").textContent = words.length ? `${found.length} of ${operations.length}` : "";
  byId("list").replaceChildren(...[...new Set(found.map((one) => one.tag))].map((tag) => {
    const inside = found.filter((one) => one.tag === tag);
    return el("details.tag", { open: words.length > 0 || operations.length < 80 },
      el("summary", {}, tag, " ", el("span.note", {}, String(inside.length))),
      el("ul", {}, inside.map((one) => el("li", {}, el("a", { href: `#/${one.operationId}` },
        methodBadge(one.method), el("span.what", {}, one.summary, pathCode(one.path)))))));
  }));
  markCurrent();
}

function markCurrent() {
  for (const link of byId("list").querySelectorAll("a")) {
    const isCurrent = link.hash === location.hash;
    link.ariaCurrent = isCurrent ? "page" : null;
    if (!isCurrent) continue;
    link.closest("details").open = true;
    link.scrollIntoView({ block: "nearest" });
  }
}

/** Show what the address names: "#/list_notes" an operation, "#/errors" and "#not_found" the errors. */
function show(isFirst) {
  const name = decodeURIComponent(location.hash.slice(1));
  const operation = operations.find((one) => `/${one.operationId}` === name);
  const view = operation ? operationView(operation) : name ? errorsPage(name === "/errors" ? undefined : name) : homeView();
  const title = view.querySelector("h1");
  document.body.classList.toggle("chosen", Boolean(name));
  document.title = name ? `${title.textContent} · ${api.info.title}` : `${api.info.title} API`;
  byId("main").replaceChildren(el("a.back", { href: "#" }, "All operations"), view);
  markCurrent();
  const target = !operation && name && byId(name);
  if (target) target.scrollIntoView({ block: "center" });
  else scrollTo(0, 0);
  if (isFirst !== true) title.focus({ preventScroll: true });
}

function listen() {
  addEventListener("hashchange", show);
  byId("search").addEventListener("input", listOperations);
  byId("search").addEventListener("keydown", ({ key }) => {
    if (key === "Enter" && best) location.hash = `#/${best.operationId}`;
  });
  byId("skip").addEventListener("click", (event) => (event.preventDefault(), byId("main").focus()));
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (!byId("search").checkVisibility()) location.hash = "";
    requestAnimationFrame(() => byId("search").select());
  });
}

async function start() {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  api = await answer.json();
  operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => {
      const words = [one.operationId, one.summary, one.description, path, method, one.tags, one["x-permission"]];
      return { ...one, path, method, tag: one.tags?.[0] ?? "Other", words: words.join(" ").toLowerCase() };
    }));
  byId("title").textContent = api.info.title;
  byId("version").textContent = api.info.version;
  listOperations();
  listen();
  show(true);
}

start().catch((error) => {
  byId("main").replaceChildren(el("h1", {}, "The documentation cannot be shown"), el("p", {}, error.message));
});
