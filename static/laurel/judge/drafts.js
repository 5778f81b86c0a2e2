// What is entered and not yet submitted: in this browser at once, on the server a moment later. It comes back
// after a reload and on another device, and is never written over what another device saved.
import { notice, place, store } from "./place.js";
import { report } from "./saving.js";
import { post } from "./wire.js";

const PAUSE = 600;  // milliseconds without typing before the server hears of it
const AGAIN = 4_000;  // milliseconds until it is tried again
const OLD = 14 * 86_400e3;
const MINE = `laurel-draft/${place.user}/`;
const NOT_CONTENT = ["csrfmiddlewaretoken", "assignment", "key", "seconds", "guideline", "replaces", "draft_version"];

let root = null;
let open = null;  // the draft of the item on the screen

export function start(main) {
  root = main;
  dropOld();
  root.addEventListener("laurel:item", (event) => { if (!event.detail?.restored) begin(); });
  for (const kind of ["input", "change"]) root.addEventListener(kind, (event) => { if (event.target.form?.id === "answer") noticeChange(); });
  window.addEventListener("pagehide", () => keep());
  window.addEventListener("online", () => send(open));
  document.addEventListener("visibilitychange", () => { if (document.hidden) keep(); else send(open); });
  notice("conflict")?.addEventListener("click", (event) => {
    if (event.target.closest("[data-load]")) loadTheirs(open);
    if (event.target.closest("[data-keep]")) keepOurs(open);
  });
}

// What the form holds, without what every form holds.
export function content(form) {
  return [...new FormData(form)].filter(([name, value]) => !NOT_CONTENT.includes(name) && !["", "[]"].includes(value));
}

// Put back into a form what `content` took out of it.
export function fill(form, fields, tell = true) {
  for (const control of form.elements) {
    if (!control.name || NOT_CONTENT.includes(control.name)) continue;
    const values = fields.filter(([name]) => name === control.name).map(([, value]) => value);
    const ticks = control.matches("[type=radio], [type=checkbox]");
    if (ticks) control.checked = values.includes(control.value);
    else control.value = values[0] ?? "";
    const folded = control.closest("details:not(.menu)");
    if (folded && (ticks ? control.checked : control.value)) folded.open = true;
  }
  if (tell) document.getElementById("item").dispatchEvent(new CustomEvent("laurel:item", { bubbles: true, detail: { restored: true } }));
}

// Content that came back to the item on the screen and is nowhere else any more.
export function enter(fields) {
  fill(open.form, fields);
  open.saved = "";
  noticeChange();
}

export const wouldBeLost = () => store.onlyInMemory(MINE);

// Everything typed so far goes to the browser's storage and, without waiting, to the server.
export function keep() {
  if (open?.dirty) send(open, true);
}

// The answer is on its way: there is nothing left to draft.
export function forget(assignment) {
  store.remove(MINE + assignment);
  if (open?.assignment !== assignment) return;
  clearTimeout(open.timer);
  open = null;
  showConflict(null);
  report("draft", "saved");
}

function begin() {
  const form = document.getElementById("answer");
  if (open) clearTimeout(open.timer);
  open = null;
  showConflict(null);
  report("draft", "saved");
  if (!form) return;
  const version = Number(form.elements.draft_version?.value || 0);
  open = { assignment: form.elements.assignment.value, form, version, saved: "", dirty: false, sending: false, timer: 0, theirs: null };
  open.saved = JSON.stringify(content(form));
  bringBack(open);
}

// This browser may know more than the server does.
function bringBack(draft) {
  const kept = store.get(MINE + draft.assignment);
  if (!kept?.dirty || JSON.stringify(kept.fields) === draft.saved) return;
  const served = content(draft.form);
  fill(draft.form, kept.fields, false);  // who shows them is told of the item next
  noticeChange();
  if (kept.version === draft.version) return;
  draft.theirs = { version: draft.version, fields: served };
  showConflict(draft);
}

function noticeChange() {
  if (!open) return;
  const fields = content(open.form);
  open.dirty = JSON.stringify(fields) !== open.saved;
  remember(open, fields);
  if (open.dirty) report("draft", open.theirs ? "unsaved" : "saving");
  clearTimeout(open.timer);
  const draft = open;
  draft.timer = setTimeout(() => send(draft), PAUSE);
}

function remember(draft, fields) {
  const { version, dirty } = draft;
  store.set(MINE + draft.assignment, { fields, version, dirty, at: Date.now() });
}

async function send(draft, leaving = false) {
  if (!draft?.dirty || draft.sending || draft.theirs) return;
  clearTimeout(draft.timer);
  const sent = content(draft.form);
  const fields = [...new FormData(draft.form)].filter(([name]) => name !== "draft_version");
  draft.sending = true;
  const reply = await post(place.draft, [...fields, ["draft_version", draft.version]], {}, { keepalive: leaving });
  draft.sending = false;
  if (store.get(MINE + draft.assignment)) arrived(draft, sent, reply);
}

function arrived(draft, sent, reply) {
  const current = draft === open;
  const body = reply.status === 200 || reply.status === 409 ? JSON.parse(reply.text) : {};
  if (reply.outcome === "ok") {
    draft.version = body.version;
    draft.saved = JSON.stringify(sent);
    draft.form.elements.draft_version.value = body.version;
    const now = content(draft.form);
    draft.dirty = JSON.stringify(now) !== draft.saved;
    remember(draft, now);
  } else if (reply.status === 409) {
    draft.theirs = { version: body.version, fields: Object.entries(body.fields).flatMap(([name, values]) => values.map((value) => [name, value])) };
  }
  if (!current) return;
  showConflict(draft);
  notice("answered").hidden = reply.status !== 410;
  if (reply.outcome === "refused") { report("draft", reply.status === 410 ? "saved" : "unsaved"); return; }
  report("draft", reply.outcome === "ok" ? (draft.dirty ? "saving" : "saved") : reply.outcome);
  if (draft.dirty) draft.timer = setTimeout(() => send(draft), reply.outcome === "ok" ? PAUSE : AGAIN);
}

function showConflict(draft) {
  const box = notice("conflict");
  if (box) box.hidden = !draft?.theirs;
  if (!draft) notice("answered").hidden = true;
}

function loadTheirs(draft) {
  const { version, fields } = draft.theirs;
  fill(draft.form, fields);
  Object.assign(draft, { version, theirs: null, dirty: false, saved: JSON.stringify(content(draft.form)) });
  draft.form.elements.draft_version.value = version;
  store.remove(MINE + draft.assignment);
  showConflict(draft);
  report("draft", "saved");
}

function keepOurs(draft) {
  draft.version = draft.theirs.version;  // seen, and decided against
  draft.theirs = null;
  draft.dirty = true;
  showConflict(draft);
  send(draft);
}

function dropOld() {
  for (const key of store.keys("laurel-draft")) {
    const kept = store.get(key);
    if (!kept?.at || (!kept.dirty && Date.now() - kept.at > OLD)) store.remove(key);
  }
}
