// Marks as they are shown: painted over the text without touching it (CSS custom highlights), or, where a browser
// cannot do that, as <mark> elements around the same text.
import { rangeAt } from "./text.js";

const paints = Boolean(globalThis.Highlight && CSS.highlights);

// `found`: [{ text, source, mark }], the element, what text.js read in it, and the mark.
export function paint(found) {
  if (paints) {
    const ranges = found.map(({ source, mark }) => rangeOf(source, mark)).filter(Boolean);
    CSS.highlights.set("laurel-mark", Object.assign(new Highlight(...ranges), { priority: 2 }));
    return;
  }
  for (const old of document.querySelectorAll(".response .prose mark")) old.replaceWith(...old.childNodes);
  for (const text of document.querySelectorAll(".response .prose")) text.normalize();
  for (const { text, mark } of found) wrap(text, mark);
}

// Where a mark stands now: at its place, or, when the rendering has changed since, at its words.
export function rangeOf(source, { start, end, quote }) {
  if (source.text.slice(start, end) === quote) return rangeAt(source, start, end);
  const at = source.text.indexOf(quote);
  return at < 0 ? null : rangeAt(source, at, at + quote.length);
}

function wrap(text, mark) {
  const nodes = [];
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let at = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest("[data-added], .math")?.matches("[data-added]")) continue;
    nodes.push({ node, at });
    at += node.data.length;
  }
  for (const { node, at: from } of nodes) {
    const start = Math.max(mark.start - from, 0);
    const end = Math.min(mark.end - from, node.data.length);
    if (start >= end || node.parentElement.closest(".math__source")) continue;
    const part = node.splitText(start);
    part.splitText(end - start);
    const element = document.createElement("mark");
    part.replaceWith(element);
    element.append(part);
  }
}

let shown = 0;
// Point at one mark for a moment.
export function flash(range) {
  if (!paints) return;
  clearTimeout(shown);
  CSS.highlights.set("laurel-shown", Object.assign(new Highlight(range), { priority: 3 }));
  shown = setTimeout(() => CSS.highlights.delete("laurel-shown"), 1200);
}
