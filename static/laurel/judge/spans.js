// Places in a response that the annotator points at. Words are selected with the mouse, a finger or the keyboard;
// a small toolbar, or the key for marking, marks them, with one of the project's reasons or without. The marks
// are in the hidden field “spans”: [{ response, start, end, quote, reason }], places as text.js counts them.
import * as painter from "./marks.js";
import * as list from "./marks_list.js";
import { ready, responses, say, textOf, words } from "./parts.js";
import { announce } from "./place.js";
import { extend } from "./selecting.js";
import { placeOf, read } from "./text.js";
import * as toolbar from "./toolbar.js";

const MOST = 50;
const LONGEST = 5_000;
const SETTLED = 150;  // milliseconds without a change of the selection

let root = null;
let marks = [];
let pressed = false;
let timer = 0;

export function start(main) {
  root = main;
  if (!ready) return;
  toolbar.start(root, mark);
  list.start(root, remove);
  root.addEventListener("laurel:item", restore);
  root.addEventListener("laurel:redrawn", () => { if (marks.length) repaint(); });
  root.addEventListener("keydown", extend);
  root.addEventListener("click", (event) => { if (event.target.closest("[data-does=mark]")) markSelection(); });
  document.addEventListener("pointerdown", () => { pressed = true; });
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, () => { pressed = false; later(); });
  document.addEventListener("selectionchange", later);
}

const field = () => root.querySelector("[name=spans]");
const responseAt = (number) => responses(root).find((each) => Number(each.dataset.response) === number);

// ---- what is selected -----------------------------------------------------------------------------------------

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => { if (!pressed) offer(); }, SETTLED);
}

function offer() {
  const found = field() && selected();
  if (found && found.quote.length <= LONGEST) toolbar.show(found, reasons()); else toolbar.hide();
}

const reasons = () => [...root.querySelectorAll("#reason [name=reasons]")].map((box) => box.value);

// The selected words of one response: { response, start, end, quote, range }, or null.
function selected() {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0).cloneRange();
  const holder = range.startContainer;
  const text = (holder.nodeType === Node.ELEMENT_NODE ? holder : holder.parentElement)?.closest(".response[data-response] > .prose");
  if (!text || !root.contains(text)) return null;
  if (!text.contains(range.endContainer)) range.setEnd(text, text.childNodes.length);
  const source = read(text);
  let { start, end } = placeOf(source, range);
  const quote = source.text.slice(start, end);
  start += quote.length - quote.trimStart().length;
  end -= quote.length - quote.trimEnd().length;
  if (end <= start) return null;
  return { response: text.closest(".response"), start, end, quote: source.text.slice(start, end), range };
}

// ---- marking --------------------------------------------------------------------------------------------------

export function markSelection() {
  if (!field()) return;
  if (selected()) mark(""); else window.laurel?.toast(words.selectFirst);
}

function mark(reason) {
  const found = selected();
  if (!found) return;
  const problem = problemWith(found);
  if (problem) { window.laurel?.toast(problem); return; }
  const { start, end, quote } = found;
  const one = { response: Number(found.response.dataset.response), start, end, quote, reason };
  marks = marks.filter((each) => !samePlace(each, one) || (each.reason && reason && each.reason !== reason));
  marks.push(one);
  marks.sort((a, b) => a.response - b.response || a.start - b.start || a.end - b.end);
  getSelection().collapseToEnd();
  toolbar.hide();
  write();
  document.getElementById("reason")?.setAttribute("open", "");
  announce(say(words.marked, { letter: list.nameOf(found.response) }));
}

const samePlace = (a, b) => a.response === b.response && a.start === b.start && a.end === b.end;

function problemWith({ quote }) {
  if (quote.length > LONGEST) return say(words.tooLong, { n: LONGEST });
  return marks.length >= MOST ? say(words.tooMany, { n: MOST }) : "";
}

function remove(index) {
  marks.splice(index, 1);
  write();
  announce(words.unmarked);
}

function write() {
  const box = field();
  box.value = marks.length ? JSON.stringify(marks) : "";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  show();
}

// ---- what the form holds --------------------------------------------------------------------------------------

function restore() {
  toolbar.hide();
  let stored = [];
  try { stored = JSON.parse(field()?.value || "[]"); } catch { /* unreadable: none */ }
  marks = Array.isArray(stored) ? stored.filter(isMark) : [];
  show();
}

const isMark = (mark) => mark && Number.isInteger(mark.response) && Number.isInteger(mark.start)
  && Number.isInteger(mark.end) && typeof mark.quote === "string" && typeof (mark.reason ?? "") === "string";

function show() {
  repaint();
  if (field()) list.show(field(), marks, responseAt);
}

function repaint() {
  const sources = new Map(responses(root).map((response) => [response, read(textOf(response))]));
  painter.paint(marks.flatMap((each) => {
    const response = responseAt(each.response);
    return response ? [{ text: textOf(response), source: sources.get(response), mark: each }] : [];
  }));
}
