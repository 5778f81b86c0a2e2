// Long responses: how many words each has, and those of many screens folded to two, with a way to the rest and
// to the end. Nothing is cut: what is folded is on the page, and opens when the browser's search finds it there.
import { part, responses, say, textOf, words } from "./parts.js";
import { read } from "./text.js";

const FOLD_ABOVE = 2.6;  // screens
const UNSPACED = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmr}\p{sc=Mymr}]/u;
const LONGEST_SEGMENTED = 200_000;
const opened = new Set();  // "assignment/response": what was opened stays open when the item comes back

export function start(root) {
  root.addEventListener("click", (event) => {
    const response = event.target.closest(".response");
    if (event.target.closest("[data-fold]")) toggle(response);
    if (event.target.closest("[data-to-end]")) toEnd(response);
  });
  // The browser's search, or the focus on a link, scrolls what is folded: then it is wanted whole.
  root.addEventListener("scroll", (event) => {
    if (event.target.classList?.contains("prose--folded") && event.target.scrollTop > 0) set(event.target.closest(".response"), true);
  }, true);
}

export function count(within) {
  for (const response of responses(within)) {
    if (response.querySelector(":scope > .response__count")) continue;
    const n = countWords(read(textOf(response)).text);
    response.dataset.words = n;
    const label = part("count");
    label.textContent = n === 1 ? words.word : say(words.words, { n });
    response.querySelector(".response__name").after(label);
  }
}

export function countWords(text) {
  if (!UNSPACED.test(text) || text.length > LONGEST_SEGMENTED || !Intl.Segmenter) return text.match(/\S+/g)?.length ?? 0;
  let n = 0;
  for (const piece of new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)) n += piece.isWordLike ? 1 : 0;
  return n;
}

// Fold what is longer than the window by far; heights are read first, then everything is written.
export function fold(root) {
  const apart = document.documentElement.dataset.scroll === "apart";
  const tall = responses(root).filter((response) => !apart && textOf(response).scrollHeight > FOLD_ABOVE * window.innerHeight);
  for (const response of responses(root)) {
    const bar = response.querySelector(":scope > .fold");
    if (!tall.includes(response)) { bar?.remove(); textOf(response).classList.remove("prose--folded"); continue; }
    if (!bar) response.append(part("fold"));
    set(response, opened.has(nameOf(response)));
  }
}

const nameOf = (response) => `${document.getElementById("answer")?.elements.assignment?.value ?? ""}/${response.dataset.response}`;
const isOpen = (response) => !textOf(response).classList.contains("prose--folded");

function set(response, open) {
  const text = textOf(response);
  text.classList.toggle("prose--folded", !open);
  if (open) opened.add(nameOf(response)); else { opened.delete(nameOf(response)); text.scrollTop = 0; }
  const button = response.querySelector("[data-fold]");
  if (!button) return;
  button.setAttribute("aria-expanded", String(open));
  button.textContent = open ? words.less : say(words.more, { n: Number(response.dataset.words) });
}

function toggle(response) {
  const open = !isOpen(response);
  set(response, open);
  if (!open) response.scrollIntoView({ block: "start" });
}

function toEnd(response) {
  set(response, true);
  response.querySelector(".fold").scrollIntoView({ block: "end" });
}

// Something in it is to be seen.
export function reveal(response) {
  if (!isOpen(response)) set(response, true);
}

// All of an item's long texts at once.
export function toggleAll(root) {
  const long = responses(root).filter((response) => response.querySelector(":scope > .fold"));
  const open = long.some((response) => !isOpen(response));
  for (const response of long) set(response, open);
  if (long.length && !open) long[0].scrollIntoView({ block: "nearest" });
}
