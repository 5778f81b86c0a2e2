// Selecting words by keyboard: in a focused response Shift and the arrows extend a selection that begins with
// what is in view (Ctrl: by words); with Alt they move its beginning.
import { read } from "./text.js";

const HEADER = 60;  // pixels that the name of the response may cover

export function extend(event) {
  const text = event.target;
  if (!event.shiftKey || event.metaKey || !event.key.startsWith("Arrow")) return;
  if (!text.matches(".response[data-response] > .prose")) return;
  const selection = getSelection();
  if (!selection.rangeCount || !text.contains(selection.anchorNode)) begin(selection, text);
  event.preventDefault();
  event.stopPropagation();  // the arrows alone choose an answer
  if (event.altKey) turnRound(selection);
  const upDown = event.key === "ArrowUp" || event.key === "ArrowDown";
  const way = { ArrowUp: "backward", ArrowDown: "forward", ArrowLeft: "left", ArrowRight: "right" }[event.key];
  selection.modify("extend", way, upDown ? "line" : event.ctrlKey ? "word" : "character");
  if (event.altKey) turnRound(selection);
}

function turnRound(selection) {
  selection.setBaseAndExtent(selection.focusNode, selection.focusOffset, selection.anchorNode, selection.anchorOffset);
}

function begin(selection, text) {
  const top = Math.max(text.getBoundingClientRect().top, 0) + (text.getBoundingClientRect().top < 0 ? HEADER : 0);
  const range = new Range();
  const first = read(text).pieces.find(({ node, whole }) => {
    if (whole || !node.data.trim()) return false;
    range.selectNodeContents(node);
    return range.getBoundingClientRect().bottom > top;
  });
  if (!first) { selection.collapse(text, 0); return; }
  selection.collapse(first.node, first.node.data.length - first.node.data.trimStart().length);
}
