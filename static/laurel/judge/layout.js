// The “View” menu, the divider between two columns and separate scrolling. What is chosen is kept by
// preferences.js, which has already applied it when this runs.
import { part, ready, responses, say, textOf, words } from "./parts.js";

const view = window.laurelView;
const STEP = 2;  // percent of the width, for an arrow key
const LEAST = 20;
let root = null;

export function start(main) {
  root = main;
  if (!ready || !view) return;
  root.addEventListener("laurel:item", settle);
  root.addEventListener("click", choose);
  root.addEventListener("toggle", (event) => { if (event.target.id === "view") sync(); }, true);
  window.addEventListener("resize", areas);
  sync();
}

export function prepare(fragment) {
  if (ready && view) divide(fragment);
}

function settle() {
  divide(root);
  areas();
  sync();
}

// ---- the menu -------------------------------------------------------------------------------------------------

function choose(event) {
  const control = event.target.closest("[data-view]");
  if (!control) return;
  const kind = control.dataset.view;
  if (kind === "smaller" || kind === "larger") resize(kind === "larger" ? 1 : -1);
  if (kind === "usual") view.set({ size: view.usual.size, split: view.usual.split, stacked: false, apart: false });
  if (kind === "stacked" || kind === "apart") view.set({ [kind]: !view.get(kind) });
  settle();
  window.laurel?.markScrollers?.();
  root.dispatchEvent(new CustomEvent("laurel:laid-out"));
}

function resize(by) {
  view.set({ size: Math.min(Math.max(view.get("size") + by, 0), view.sizes - 1) });
}

export function sync() {
  for (const control of root.querySelectorAll("[data-view]")) {
    const kind = control.dataset.view;
    if (control.hasAttribute("aria-pressed")) control.setAttribute("aria-pressed", String(view.get(kind)));
    if (kind === "smaller") control.disabled = view.get("size") === 0;
    if (kind === "larger") control.disabled = view.get("size") === view.sizes - 1;
  }
  const size = root.querySelector("[data-view-size]");
  if (size) size.textContent = say(words.percent, { n: view.percent() });
  for (const divider of root.querySelectorAll(".divider")) divider.setAttribute("aria-valuenow", String(Math.round(view.get("split"))));
}

// ---- separate scrolling ---------------------------------------------------------------------------------------

function areas() {
  const apart = view.get("apart");
  for (const response of responses(root)) {
    const text = textOf(response);
    text.classList.toggle("prose--area", apart);
  }
}

// ---- the divider ----------------------------------------------------------------------------------------------

function divide(within) {
  for (const box of within.querySelectorAll(".responses--2")) {
    const [first, second] = responses(box);
    if (!second || box.querySelector(".divider")) continue;
    const divider = part("divider");
    divider.setAttribute("aria-valuenow", String(Math.round(view.get("split"))));
    divider.addEventListener("pointerdown", grab);
    divider.addEventListener("keydown", nudge);
    divider.addEventListener("dblclick", () => move(50));
    first.after(divider);
    box.classList.add("has-divider");
  }
}

function move(percent) {
  view.set({ split: Math.min(Math.max(percent, LEAST), 100 - LEAST) });
  sync();
}

const rtl = () => document.documentElement.dir === "rtl";

function grab(event) {
  const divider = event.currentTarget;
  if (event.button !== 0) return;
  event.preventDefault();
  divider.focus();
  divider.setPointerCapture(event.pointerId);
  divider.addEventListener("pointermove", drag);
  divider.addEventListener("lostpointercapture", () => {
    divider.removeEventListener("pointermove", drag);
    window.laurel?.markScrollers?.();
    root.dispatchEvent(new CustomEvent("laurel:laid-out"));
  }, { once: true });
}

function drag(event) {
  const box = event.currentTarget.parentElement.getBoundingClientRect();
  const share = (100 * (event.clientX - box.left)) / box.width;
  move(rtl() ? 100 - share : share);
}

function nudge(event) {
  const forward = rtl() ? "ArrowLeft" : "ArrowRight";
  const back = rtl() ? "ArrowRight" : "ArrowLeft";
  const to = { [forward]: view.get("split") + STEP, [back]: view.get("split") - STEP, Home: LEAST, End: 100 - LEAST, Enter: 50 }[event.key];
  if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();  // the arrows choose an answer elsewhere
  event.stopPropagation();
  move(to);
  root.dispatchEvent(new CustomEvent("laurel:laid-out"));
}
