// One request to the server, and what became of it in one word:
//   ok; refused (for good: see status); offline, server (try again later); signed-out, stranger (sign in first).
import { place } from "./place.js";

const PATIENCE = 20_000;  // milliseconds until a request counts as lost
const LATER = [408, 425, 429];

let token = "";
try { token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"]; } catch { /* signed out */ }

export async function post(url, fields, headers = {}, options = {}) {
  let reply = await attempt(url, fields, headers, options);
  if (![302, 403, 404].includes(reply.status)) return { ...reply, outcome: outcomeOf(reply.status) };
  // Signed out, signed in again elsewhere (then the token has changed), or no longer a member: ask which.
  const who = await whoIsHere();
  if (who !== "member") return { ...reply, outcome: who === "gone" ? "refused" : who };
  // They are here now; perhaps somebody else was when it was sent. What is refused once more is refused for good.
  reply = await attempt(url, fields, headers, options);
  return { ...reply, outcome: reply.status === 403 ? "signed-out" : outcomeOf(reply.status) };
}

export async function get(url, headers = {}) {
  const reply = await ask(url, { headers: { "Laurel-Fetch": "1", ...headers } });
  return { ...reply, outcome: outcomeOf(reply.status) };
}

function attempt(url, fields, headers, options) {
  const body = new URLSearchParams(fields.filter(([name]) => name !== "csrfmiddlewaretoken"));
  return ask(url, { method: "POST", body, headers: { "X-CSRFToken": token, "Laurel-Fetch": "1", ...headers }, ...options });
}

async function ask(url, options) {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(PATIENCE), ...options });
    const status = response.type === "opaqueredirect" ? 302 : response.status;
    return { status, current: response.headers.get("Laurel-Current"), text: await response.text() };
  } catch {
    return { status: 0, current: null, text: "" };
  }
}

function outcomeOf(status) {
  if (status >= 200 && status < 300) return "ok";
  if (status === 0) return "offline";
  if (status === 302) return "signed-out";
  return status >= 500 || LATER.includes(status) ? "server" : "refused";
}

// The guidelines are open to every member; their page says who is signed in and carries a fresh token. The page
// that others get says who they are.
async function whoIsHere() {
  const { status, text } = await ask(place.check, {});
  if (status !== 200 && status !== 404) return outcomeOf(status) === "refused" ? "server" : outcomeOf(status);
  const body = new DOMParser().parseFromString(text, "text/html").body;
  if (status === 404 && !body.dataset.user) return "gone";  // a page that says nothing, of a proxy for one
  if (body.dataset.user !== place.user) return "stranger";
  if (status === 404) return "gone";
  token = JSON.parse(body.getAttribute("hx-headers"))["X-CSRFToken"];
  return "member";
}
