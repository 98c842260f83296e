"use strict";

// --- what any page needs ---------------------------------------------------------------------------

async function api(path, body) {
  const token = document.cookie.match(/nexus_csrf=([^;]+)/);
  const answer = await fetch(`/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token && { "X-CSRF-Token": token[1] }) },
    body: JSON.stringify(body ?? {}),
  });
  const said = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(said.error_code);
  return said;
}

async function addPasskey(name) {
  const { public_key } = await api("/me/passkeys/options");
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(public_key);
  const credential = await navigator.credentials.create({ publicKey });
  return api("/me/passkeys", { credential: credential.toJSON(), name });
}

async function show(public_key) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(public_key);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}

async function signInByPasskey() {
  const { public_key } = await api("/auth/passkey/options");
  return api("/auth/passkey", { credential: await show(public_key), session: "cookie" });
}

async function signIn(email, password) {
  const step = await api("/auth/sign-in", { email, password, session: "cookie" });
  if (step.status === "signed_in") return step;
  const { challenge } = step;
  const { public_key } = await api("/auth/second-factor/options", { challenge });
  return api("/auth/second-factor", { challenge, passkey: await show(public_key) });
}

async function proveAgain() {
  const { public_key } = await api("/auth/reauthenticate/options");
  return api("/auth/reauthenticate/second-factor", { passkey: await show(public_key) });
}

// --- this page -------------------------------------------------------------------------------------

const field = (name) => document.getElementById(name).value;
const acts = {
  "sign-in": () => signIn(field("email"), field("password")),
  "sign-in-by-passkey": signInByPasskey,
  "add-passkey": () => addPasskey(field("name")),
  "prove-again": proveAgain,
  "sign-out": () => api("/auth/sign-out"),
};
for (const [id, act] of Object.entries(acts)) {
  document.getElementById(id).addEventListener("click", async () => {
    const said = document.querySelector("output");
    said.textContent = "…";
    try {
      said.textContent = JSON.stringify(await act());
    } catch (error) {
      said.textContent = error.name === "Error" ? error.message : error.name;
    }
  });
}
