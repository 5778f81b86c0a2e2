// From one item to the next. Submitting keeps the answer in the outbox and paints the item that waits in
// <template id="ahead"> in the same frame; what the server says comes after.
import * as clock from "./clock.js";
import * as drafts from "./drafts.js";
import * as outbox from "./outbox.js";
import { announce, freshKey, notice, place, toast } from "./place.js";
import * as refusals from "./refusals.js";
import { report, show as showSaving } from "./saving.js";
import { summary } from "./summary.js";
import { get, post } from "./wire.js";

const LATER = 3_000;  // milliseconds until the next item is asked for again
const HASTE = 400;  // milliseconds: a second click on Submit belongs to the item before

let root = null;
let waiting = false;  // answered, and the next item is not here yet
let brought = "";  // an item that came back with a problem stays until it is answered
let touched = false;  // the person has done something to the item on the screen
let paintedAt = -Infinity;
const done = new Set();  // the assignments answered on this page

const find = (selector) => root.querySelector(selector);
const answer = () => document.getElementById("answer");
const painted = () => assignmentOf(answer());
const assignmentOf = (form) => form?.elements.assignment.value ?? "";
const toStay = () => !waiting && Boolean((brought && brought === painted()) || answer()?.elements.replaces?.value);

export function start(main) {
  root = main;
  document.addEventListener("submit", takeOver, true);
  root.addEventListener("laurel:item", (event) => { if (!event.detail?.restored) settle(); });
  for (const kind of ["input", "change"]) root.addEventListener(kind, () => { touched = true; });
  window.addEventListener("pageshow", (event) => { if (event.persisted) outbox.flush().then(() => refresh()); });
  window.addEventListener("storage", (event) => {
    if (outbox.belongsHere(event.key)) refusals.show();
    if (outbox.tellsOfSent(event.key)) leaveAnswered();
  });
  window.addEventListener("beforeunload", (event) => { if (outbox.wouldBeLost() || drafts.wouldBeLost()) event.preventDefault(); });
  notice("server")?.addEventListener("click", (event) => { if (event.target.closest("[data-retry]")) outbox.flush(); });
  outbox.start({ shown, arrived, drained });
  refusals.show();
}

// The first thing on the page, once all modules listen: what an earlier visit left to be sent.
export function begin() {
  if (painted() && outbox.isWaiting(painted())) wait();
  for (const entry of outbox.refused()) if (entry.assignment === painted() && entry.url === place.judge) enterAgain(entry);
  if (outbox.entries().length) outbox.flush(); else leaveAnswered();
  tellAhead();
}

// A refused answer whose item they have opened: what they had entered is in its form.
function enterAgain(entry) {
  drafts.enter(entry.fields);
  outbox.discard(entry);
  refusals.show();
}

// ---- what people do -------------------------------------------------------------------------------------------

export function submit() {
  const form = answer();
  if (!form || waiting || (!touched && performance.now() - paintedAt < HASTE)) return;
  if (!form.checkValidity()) {
    toast(place.incomplete);
    announce(place.incomplete);
    return;
  }
  if (!find("#item").dispatchEvent(new CustomEvent("laurel:submit", { bubbles: true, cancelable: true }))) return;
  form.elements.seconds.value = clock.seconds().toFixed(1);
  sendOff(form, form.elements.key.value);
}

// Skip and flag: the forms beside the answer.
export function leave(form) {
  if (waiting || !form.reportValidity()) return;
  sendOff(form, freshKey());
}

// Bring back the answer given last. What is on its way goes first.
export async function reopenLast() {
  const form = document.getElementById("undo");
  if (!form || waiting || root.getAttribute("aria-busy")) return;
  busy(true);
  drafts.keep();
  await outbox.flush();
  const reply = outbox.entries().length ? null : await post(form.getAttribute("action"), [...new FormData(form)]);
  busy(false);
  if (reply?.outcome === "ok") apply(parse(reply.text), true);
  else toast(place.notNow);
}

function takeOver(event) {
  const form = event.target;
  if (!root.contains(form) || form.method !== "post") return;
  const known = form.id === "answer" || form.id === "undo" || find("#item").contains(form);
  if (!known) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.id === "answer") submit();
  else if (form.id === "undo") reopenLast();
  else leave(form);
}

// ---- the next item --------------------------------------------------------------------------------------------

function sendOff(form, key) {
  const assignment = assignmentOf(answer());
  const fields = [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken");
  outbox.put({ key, assignment, url: form.getAttribute("action"), fields, summary: summary(form, find("#item")) });
  drafts.forget(assignment);
  done.add(assignment);
  brought = "";
  find("[data-saved]")?.setAttribute("data-stale", "");  // it was about the answer before
  const next = takeAhead();
  if (next) paint([...next.childNodes]); else wait();
  outbox.flush();
}

function takeAhead() {
  const ahead = find("template#ahead");
  if (!ahead?.content.firstElementChild || done.has(ahead.dataset.assignment)) return null;
  ahead.remove();
  return ahead.content;
}

function paint(nodes) {
  const item = find("#item");
  waiting = false;
  busy(false);
  item.inert = false;
  item.replaceChildren(...nodes);
  find("#problem")?.replaceChildren();
  if (location.pathname !== place.judge) history.replaceState(null, "", place.judge);
  paintedAt = performance.now();
  item.dispatchEvent(new CustomEvent("laurel:item", { bubbles: true }));
  window.scrollTo(0, 0);
  item.querySelector("[data-focus]")?.focus({ preventScroll: true });
  announce(place.next);
}

function wait() {
  waiting = true;
  busy(true);
  find("#item").inert = true;
}

function busy(yes) {
  root.classList.toggle("is-busy", yes);
  if (yes) root.setAttribute("aria-busy", "true"); else root.removeAttribute("aria-busy");
}

function settle() {
  touched = false;
  const form = answer();
  if (form) form.noValidate = true;  // `submit` says what is missing, the same way for key and click
  for (const control of document.querySelectorAll("[data-needs-js]")) control.hidden = false;
}

function tellAhead() {
  const ahead = find("template#ahead");
  if (ahead?.content.firstElementChild) root.dispatchEvent(new CustomEvent("laurel:ahead", { detail: { fragment: ahead.content } }));
}

// ---- what the server says -------------------------------------------------------------------------------------

const shown = () => (waiting ? "" : painted());
const parse = (text) => new DOMParser().parseFromString(text, "text/html");

function arrived(entry, reply, more) {
  const page = parse(reply.text);
  if (reply.outcome === "ok") {
    if (more) takeOnlyAhead(page); else apply(page);
    return;
  }
  done.delete(entry.assignment);
  const form = page.getElementById("answer");
  const same = assignmentOf(form) === entry.assignment && entry.url === place.judge;
  const mendable = reply.status === 422 || (reply.status === 409 && form?.elements.replaces?.value);
  if (same && mendable) bringBack(entry, page); else refuse(entry, reply.status, page);
}

// Something else is still on its way: whatever the server calls current may be answered already.
function takeOnlyAhead(page) {
  if (page.getElementById("item")) return;
  putAhead(page.getElementById("ahead"));
  if (waiting) paintAhead();
}

function apply(page, force = false) {
  const item = page.getElementById("item");
  const problem = page.getElementById("problem");
  const next = assignmentOf(page.getElementById("answer"));
  swapStatus(page.getElementById("status"));
  const same = !waiting && next === painted() && next !== "";
  if (item && (force || (!same && !toStay()))) {
    drafts.keep();
    putAhead(page.getElementById("ahead"));
    done.delete(next);
    paint([...item.childNodes]);
    if (problem?.textContent.trim()) showProblem(problem);
    return;
  }
  putAhead(page.getElementById("ahead"));
  if (waiting) paintAhead();
}

function bringBack(entry, page) {
  apply(page, true);
  brought = entry.assignment;
  drafts.enter(entry.fields);
  outbox.take(entry);
}

function refuse(entry, status, page) {
  const problem = page.getElementById("problem");
  outbox.setAside(entry, status, problem?.textContent.trim());
  problem?.replaceChildren();  // it is said with the answer that was refused
  refusals.show();
  if (page.getElementById("status")) apply(page);
}

// Another tab sent the answer and has the reply, or it was refused: ask for what should have come with it.
function drained() {
  if (waiting || (answer() && !find("template#ahead"))) refresh(); else leaveAnswered();
}

// Another tab answered what is here, also between the server's writing of this page and its modules: go on, unless
// the person has begun to answer it here too. The server says then what became of it.
function leaveAnswered() {
  const here = [painted(), find("template#ahead")?.dataset.assignment];
  if (!waiting && !touched && !toStay() && here.some((one) => one && outbox.wasSent(one))) refresh(() => !touched);
}

async function refresh(still = () => true) {
  const before = painted();
  const reply = await get(place.judge, { "Laurel-Shown": shown() });
  if (!still() || painted() !== before || (!waiting && outbox.entries().length)) return;  // they went on meanwhile
  if (reply.outcome === "ok") apply(parse(reply.text));
  else if (waiting && reply.outcome !== "refused") {
    report("answers", reply.outcome);
    setTimeout(outbox.flush, LATER);
  }
}

function paintAhead() {
  const next = takeAhead();
  if (next) paint([...next.childNodes]);
}

function putAhead(ahead) {
  if (!ahead) return;
  const old = find("template#ahead");
  if (old) old.replaceWith(ahead); else root.append(ahead);
  tellAhead();
}

function swap(selector, fresh) {
  const old = find(selector);
  if (!old || !fresh) return;
  for (const control of fresh.querySelectorAll("[data-needs-js]")) control.hidden = false;
  old.replaceWith(fresh);
  window.htmx?.process(fresh);
}

// The tools come along only when they have changed; a menu that is open, or a button in focus, stays as it is.
function swapStatus(fresh) {
  const tools = find("#status .status__tools");
  const newer = fresh?.querySelector(".status__tools");
  const inUse = tools && (tools.contains(document.activeElement) || tools.querySelector("details[open]"));
  const [before, now] = [tools, newer].map((one) => one?.querySelector("#open-guidelines").dataset.version);
  if (before !== undefined && now && now !== before) {
    toast(place.newGuidelines);
    announce(place.newGuidelines);
  }
  if (tools && (inUse || !newer)) swap("#status .status__now", fresh?.querySelector(".status__now"));
  else swap("#status", fresh);
  showSaving();
}

function showProblem(problem) {
  swap("#problem", problem);
  announce(find("#problem").textContent.trim());
  find("#problem").scrollIntoView({ block: "nearest" });
}
