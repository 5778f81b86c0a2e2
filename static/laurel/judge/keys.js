// The keyboard of the judging page. Keys rest while somebody types, while Ctrl, Alt or the command key is held,
// in dialogs, and while a word is being composed.
import * as flow from "./flow.js";
import { actionOf } from "./keymap.js";

let root = null;
let does = flow;  // practice submits in its own way
const find = (selector) => root.querySelector(selector);

export function start(main, instead = flow) {
  root = main;
  does = instead;
  document.addEventListener("keydown", press);
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "guidelines-body") event.detail.target.closest("dialog").showModal(); });
}

// The page is ready: press what was pressed while it was not (early.js). Where that brings another item it ends:
// nobody has answered what they had not seen.
export function catchUp() {
  let another = false;
  const notice = () => { another = true; };
  root.addEventListener("laurel:item", notice);
  for (const early of window.laurelKeys?.() ?? []) {
    const target = document.activeElement ?? document.body;
    const event = new KeyboardEvent("keydown", { ...early, bubbles: true, cancelable: true });
    if (target.dispatchEvent(event) && early.key === "Enter" && target.matches("a, button, summary")) target.click();
    if (another) break;
  }
  root.removeEventListener("laurel:item", notice);
  root.dataset.ready = "";
}

const typing = (target) => target.isContentEditable
  || target.matches("textarea, select:not(.rank__place), input:not([type=radio], [type=checkbox])");

function press(event) {
  const target = event.target;
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229 || !(target instanceof Element)) return;
  const dialog = document.querySelector("dialog[open]");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!event.repeat && !dialog) submitFrom(target);
    return;
  }
  if (event.key === "Escape" && typing(target)) { target.blur(); return; }
  if (typing(target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = actionOf(event);
  if (dialog) {
    if (action === "help" && dialog.id === "help") { event.preventDefault(); dialog.close(); }
    return;
  }
  if (quickReason(event) || !action || isOfControl(event, action)) return;
  if (!act(action, event)) return;
  event.preventDefault();
}

// Ctrl+Enter in the note of a flag sends the flag.
function submitFrom(target) {
  const form = target.form;
  if (form && form.id !== "answer" && root.contains(form)) form.requestSubmit(); else does.submit();
}

// What the control in focus does with the key by itself.
function isOfControl(event, action) {
  const target = event.target;
  if (event.key === "Enter" && target.matches("a, button, summary")) return true;
  if (event.key === "Enter" && target.form && target.form.id !== "answer") return true;
  const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
  if (target.matches("[type=radio]") && (sideways || !target.closest("#question"))) return event.key.startsWith("Arrow");
  // Away from the question the arrows scroll.
  return (action === "up" || action === "down") && !target.closest("#question");
}

function act(action, event) {
  if (action === "up" || action === "down") return tell("laurel:move", action === "up" ? -1 : 1);
  if (event.repeat) return true;
  if (action.startsWith("pick-")) return pick(Number(action.slice(5)));
  const run = ACTIONS[action] || (() => document.querySelector(`[data-does="${action}"]`)?.click());
  run();
  return true;
}

const ACTIONS = {
  submit: () => does.submit(),
  reason: () => openPanel("#reason", "input:not([type=hidden]), textarea"),
  skip: () => openPanel("#skip", "[data-confirm]"),
  flag: () => openPanel("#flag", "textarea"),
  undo: () => does.reopenLast(),
  guidelines: () => find("#open-guidelines").click(),
  help: () => document.getElementById("help").showModal(),
};

// The widgets answer with preventDefault: done; and say whether it was chosen already.
function pick(number) {
  if (!find("#question")) return false;
  closePanels();
  if (document.activeElement?.matches("a, button, summary")) document.activeElement.blur();  // Enter now submits
  const detail = { number, again: false };
  tell("laurel:pick", detail);
  if (detail.again) does.submit();
  return true;
}

function tell(kind, detail) {
  const event = new CustomEvent(kind, { bubbles: true, cancelable: true, detail });
  find("#question")?.dispatchEvent(event);
  return event.defaultPrevented;
}

function closePanels() {
  for (const panel of root.querySelectorAll("details.menu[open]")) panel.open = false;
}

function openPanel(id, focus) {
  const panel = find(id);
  if (!panel) return;
  closePanels();
  panel.open = true;
  panel.querySelector(focus).focus({ preventScroll: id !== "#reason" });
  if (id === "#reason") panel.scrollIntoView({ block: "center" });
}

// In the open skip panel the numbers choose a reason.
function quickReason(event) {
  const panel = find("#skip[open]");
  const reason = panel?.querySelectorAll("[name=quick]")[Number(event.key) - 1];
  if (!reason || !panel.contains(event.target)) return false;
  event.preventDefault();
  reason.checked = true;
  panel.querySelector("[data-confirm]").focus({ preventScroll: true });
  return true;
}
