// Answers on their way: each is in the browser's storage before the next item is shown, is sent in order, one at
// a time, until the server has it, and exactly once by its key. A reload, a crash or a lost connection only
// delays it. Entries belong to a user and a project: nobody sends those of another.
import { place, store } from "./place.js";
import { report } from "./saving.js";
import { post } from "./wire.js";

const WAITS = [1, 2, 4, 8, 15, 30];  // seconds between attempts after a failure
const mine = `${place.user}/${place.project}/`;
const WAITING = `laurel-outbox/${mine}`;
const ASIDE = `laurel-refused/${mine}`;  // refused for good, kept until the person has seen to them
const SENT = `laurel-sent/${mine}`;  // the assignments sent last: a page loaded just before knows it is late
const REMEMBERED = 20;

let handlers = null;
let running = null;  // the promise of what is under way
let failures = 0;
let timer = 0;

// `arrived(entry, reply, more)` is told of each answer, `drained()` when none is left; `shown()` is the
// assignment on the screen.
export function start(given) {
  handlers = given;
  window.addEventListener("online", retry);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) retry(); });
  window.addEventListener("focus", retry);  // perhaps they signed in in another tab
}

export const entries = () => sorted(WAITING);
export const refused = () => sorted(ASIDE);
export const isWaiting = (assignment) => entries().some((entry) => entry.assignment === assignment);
export const wouldBeLost = () => store.onlyInMemory(WAITING) || store.onlyInMemory(ASIDE);
export const discard = (entry) => store.remove(ASIDE + entry.key);
export const wasSent = (assignment) => Boolean(store.get(SENT)?.includes(assignment));
export const tellsOfSent = (key) => key === SENT;
export const belongsHere = (key) => key?.startsWith(WAITING) || key?.startsWith(ASIDE);

export function put(entry) {
  const last = entries().at(-1);
  store.set(WAITING + entry.key, { ...entry, at: Math.max(Date.now(), (last?.at ?? 0) + 1) });
}

// It is on the screen again.
export const take = (entry) => store.remove(WAITING + entry.key);

export function setAside(entry, status, said = "") {
  store.set(ASIDE + entry.key, { ...entry, status, said });
  store.remove(WAITING + entry.key);
}

export function retry() {
  if (entries().length) flush();
}

// Resolves when nothing more can be sent for now, also for whoever calls while it is under way.
export function flush() {
  running ??= send().finally(() => { running = null; });
  return running;
}

async function send() {
  do {
    clearTimeout(timer);
    report("answers", entries().length ? "saving" : "saved", entries().length);
    const stopped = await alone(drain);
    if (stopped) { wait(stopped); return; }
    if (!entries().length) await settle();
  } while (entries().length);
}

async function settle() {
  failures = 0;
  report("answers", "saved", 0);
  await handlers.drained();
}

// The tabs of one browser take turns. Where locks are missing, two may send the same entry: it is stored once.
function alone(work) {
  return navigator.locks ? navigator.locks.request(WAITING, work) : work();
}

async function drain() {
  for (let entry = entries()[0]; entry; entry = entries()[0]) {
    const reply = await post(entry.url, entry.fields, { "Laurel-Shown": handlers.shown() });
    if (reply.outcome !== "ok" && reply.outcome !== "refused") return reply.outcome;
    failures = 0;
    if (reply.outcome === "ok") remove(entry);
    const more = entries().some((other) => other.key !== entry.key);
    handlers.arrived(entry, reply, more);
    if (store.get(WAITING + entry.key)) setAside(entry, reply.status);  // nobody took it: never in a circle
    report("answers", more ? "saving" : "saved", entries().length);
  }
  return "";
}

function remove(entry) {
  store.set(SENT, [entry.assignment, ...(store.get(SENT) ?? [])].slice(0, REMEMBERED));
  store.remove(WAITING + entry.key);
}

function wait(outcome) {
  report("answers", outcome, entries().length);
  clearTimeout(timer);
  if (outcome === "signed-out" || outcome === "stranger") return;  // until they come back
  timer = setTimeout(flush, WAITS[Math.min(failures++, WAITS.length - 1)] * 1000);
}

function sorted(prefix) {
  const found = store.keys(prefix).map((key) => store.get(key)).filter(Boolean);
  return found.sort((one, other) => one.at - other.at);
}
