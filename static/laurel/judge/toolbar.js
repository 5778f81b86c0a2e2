// The small toolbar beside selected words: mark them, with a reason or without.
import { part } from "./parts.js";

const GAP = 8;  // pixels between the words and the toolbar

let bar = null;
let range = null;
let root = null;
let frame = 0;

export function start(main, mark) {
  root = main;
  root.addEventListener("click", (event) => {
    const button = event.target.closest(".marker [data-reason]");
    if (button) mark(button.dataset.reason);
  });
  // The press would drop the selection.
  root.addEventListener("pointerdown", (event) => { if (event.target.closest(".marker")) event.preventDefault(); });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !bar) return;
    hide();
    getSelection().removeAllRanges();
  });
  for (const kind of ["scroll", "resize"]) window.addEventListener(kind, follow, { capture: true, passive: true });
}

export function show(found, reasons) {
  if (!bar?.isConnected || bar.parentElement !== found.response) {
    hide();
    bar = part("marker");
    for (const reason of reasons) bar.append(button(reason));
    found.response.append(bar);  // after the text: Tab leads from one to the other
  }
  range = found.range;
  follow();
}

function button(reason) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn btn--small";
  made.dataset.reason = reason;
  made.dir = "auto";
  made.textContent = reason;
  return made;
}

export function hide() {
  bar?.remove();
  bar = null;
  range = null;
}

function follow() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(place);
}

// The answer bar, where it lies over the text at the foot of the window.
function topOfBar(element) {
  const box = element.getBoundingClientRect();
  return box.height > 0 && box.top > window.innerHeight / 2 && box.width > window.innerWidth / 2 ? box.top : Infinity;
}

// Below the words, or above them where the answer bar is in the way; out of the window it is not shown.
function place() {
  if (!bar || !range) return;
  const lines = [...range.getClientRects()].filter((line) => line.width > 0);
  const [first, last] = [lines[0], lines.at(-1)];
  if (!last) { hide(); return; }
  const box = bar.getBoundingClientRect();
  const floor = Math.min(window.innerHeight, ...[...root.querySelectorAll(".work__answer, .actions")].map(topOfBar));
  const below = last.bottom + GAP;
  const top = below + box.height <= floor ? below : Math.max(first.top - GAP - box.height, GAP);
  const left = Math.min(Math.max(last.left, GAP), window.innerWidth - box.width - GAP);
  bar.style.setProperty("--marker-top", `${Math.min(top, floor - box.height - GAP)}px`);
  bar.style.setProperty("--marker-left", `${Math.max(left, GAP)}px`);
  bar.hidden = last.bottom < 0 || first.top > window.innerHeight;
}
