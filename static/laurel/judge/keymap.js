// Which key does what. The help dialog holds the list: one row an action, with the keys it has at first; what a
// person chose instead is kept in this browser. Every control shows its key in <kbd data-keys-of="ACTION">.
import { announce } from "./place.js";

const SHOWN = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
const MIRROR = { ArrowLeft: "ArrowRight", ArrowRight: "ArrowLeft" };
const MODIFIERS = ["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock"];
const NAMED = /^(?:Arrow(?:Up|Down|Left|Right)|Enter|F\d{1,2}|Insert|Backspace|Delete)$/;

const dialog = document.getElementById("help");
const rows = dialog ? [...dialog.querySelectorAll("tr[data-action]")] : [];
const rtl = document.documentElement.dir === "rtl";
let kept = "";  // where the choice is kept
let chosen = {};  // action → key
let waiting = null;  // the row whose new key is awaited

export function start(root) {
  if (!dialog) return;
  kept = `laurel-keys/${root.dataset.user}`;
  load();
  root.addEventListener("laurel:item", () => show(document));
  window.addEventListener("storage", (event) => { if (event.key === kept) load(); });
  dialog.addEventListener("click", click);
  dialog.addEventListener("keydown", press, true);
  dialog.addEventListener("cancel", (event) => { if (waiting) event.preventDefault(); });
  dialog.addEventListener("close", () => edit(false));
}

export const prepare = show;

// The action of a key, or "".
export function actionOf(event) {
  for (const key of candidates(event)) {
    const row = rows.find((each) => keysOf(each).includes(key));
    if (row) return row.dataset.action;
  }
  return "";
}

// The key as typed; then, on a keyboard without Latin letters or with digits above Shift, what is on that place.
function candidates(event) {
  const typed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const placed = event.shiftKey ? "" : (/^(?:Key|Digit|Numpad)(.)$/.exec(event.code)?.[1] || "").toLowerCase();
  return [typed, placed].filter(Boolean);
}

function keysOf(row) {
  const own = chosen[row.dataset.action];
  if (own) return [own];
  return row.dataset.keys.split(" ").map((key) => (rtl && MIRROR[key]) || key);
}

const named = (key) => SHOWN[key] || (key.length === 1 ? key.toUpperCase() : key);

function load() {
  try { chosen = JSON.parse(localStorage.getItem(kept)) || {}; } catch { chosen = {}; }
  show(document);
}

function keep() {
  try {
    if (Object.keys(chosen).length) localStorage.setItem(kept, JSON.stringify(chosen));
    else localStorage.removeItem(kept);
  } catch { /* a private window: they last as long as the page */ }
  show(document);
}

function show(within) {
  for (const row of rows) {
    const keys = keysOf(row).map(named);
    for (const label of within.querySelectorAll(`[data-keys-of="${row.dataset.action}"]`)) label.textContent = keys[0];
    if (within !== document) continue;
    row.querySelector("[data-now]").replaceChildren(...keys.flatMap((key) => {
      const label = document.createElement("kbd");
      label.textContent = key;
      return [label, " "];
    }));
  }
}

// ---- choosing other keys --------------------------------------------------------------------------------------

function click(event) {
  if (event.target.closest("[data-edit]")) edit(event.target.closest("[data-edit]").getAttribute("aria-pressed") !== "true");
  const change = event.target.closest("[data-change]");
  if (change) awaitKey(change.closest("tr"));
  if (event.target.closest("[data-reset]")) {
    chosen = {};
    keep();
    say(dialog.dataset.resetDone);
  }
}

function edit(on) {
  awaitKey(null);
  dialog.querySelector("[data-edit]").setAttribute("aria-pressed", String(on));
  for (const button of dialog.querySelectorAll("[data-change], [data-reset]")) button.hidden = !on;
  say("");
}

function awaitKey(row) {
  waiting?.classList.remove("is-waiting");
  waiting = row;
  waiting?.classList.add("is-waiting");
  if (row) say(dialog.dataset.press);
}

function press(event) {
  if (!waiting || MODIFIERS.includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.key === "Escape") { awaitKey(null); say(""); return; }
  const key = candidates(event)[0];
  const fit = !event.ctrlKey && !event.altKey && !event.metaKey && (/^[^\s]$/u.test(key) || NAMED.test(key));
  if (!fit) { say(dialog.dataset.unfit); return; }
  const taken = rows.find((each) => each !== waiting && keysOf(each).includes(key));
  if (taken) {
    say(dialog.dataset.taken.replace("%key", named(key)).replace("%action", nameOf(taken)));
    return;
  }
  chosen[waiting.dataset.action] = key;
  keep();
  say(dialog.dataset.set.replace("%action", nameOf(waiting)).replace("%key", named(key)));
  awaitKey(null);
}

const nameOf = (row) => row.querySelector("th").textContent.trim();

function say(text) {
  dialog.querySelector("[data-said]").textContent = text;
  announce(text);
}
