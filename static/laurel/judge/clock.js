// How long the item on the screen was looked at: only while the tab is visible, and at most a minute after the
// last sign of life. The server caps it by its own clock.
const IDLE = 60_000;
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel", "touchmove", "scroll", "focusin"];

let visible = !document.hidden;
let counted = 0;  // milliseconds up to `mark`
let mark = 0;
let alive = 0;  // the last sign of life

export function start(root) {
  for (const sign of SIGNS) document.addEventListener(sign, live, { passive: true, capture: true });
  document.addEventListener("visibilitychange", () => {
    count();
    visible = !document.hidden;
    if (visible) live();
  });
  root.addEventListener("laurel:item", (event) => { if (!event.detail?.restored) reset(); });
  reset();
}

export function seconds() {
  count();
  return counted / 1000;
}

function reset() {
  counted = 0;
  mark = alive = performance.now();
}

function count() {
  const now = performance.now();
  if (visible) counted += Math.max(0, Math.min(now, alive + IDLE) - mark);
  mark = now;
}

function live() {
  count();
  alive = mark;
}
