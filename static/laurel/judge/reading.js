// Reading: formulas, code, word counts, long texts. It draws over the texts and never changes what they say.
// After it has changed how a text stands in the page it tells so with “laurel:redrawn”.
import * as code from "./code.js";
import * as long from "./long.js";
import * as math from "./math.js";
import { ready, responses, textOf } from "./parts.js";
import * as texts from "./texts.js";

let root = null;

export function start(main) {
  root = main;
  if (!ready) return;
  long.start(root);
  root.addEventListener("laurel:item", settle);
  root.addEventListener("laurel:laid-out", () => { long.fold(root); scrollers(); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (button) code.copy(button);
  });
  root.addEventListener("click", (event) => { if (event.target.closest("[data-does=expand]")) toggleAll(); });
  const guidelines = document.getElementById("guidelines-body");  // fetched when they are asked for
  guidelines?.addEventListener("htmx:afterSwap", () => texts.draw(guidelines));
  window.addEventListener("resize", scrollers);
  document.fonts.addEventListener("loadingdone", scrollers);  // formulas are as wide as their fonts make them
}

// The next item, while it waits: drawn before it is seen.
export function prepare(fragment) {
  if (!ready) return;
  code.frame(fragment);
  long.count(fragment);
  math.draw(fragment, drawn);
}

export const toggleAll = () => long.toggleAll(root);

function settle() {
  code.frame(root);
  long.count(root);
  for (const response of responses(root)) reachable(response);
  long.fold(root);
  code.colour(root, (block) => redrawn(block.closest(".prose")));
  math.draw(root, drawn);
  scrollers();
}

// A response can be focused, to scroll it and to select words by keyboard.
function reachable(response) {
  const text = textOf(response);
  text.tabIndex = 0;
  text.setAttribute("role", "group");
  text.setAttribute("aria-labelledby", response.querySelector(".response__name").id);
  text.setAttribute("aria-describedby", "how-to-mark");
}

function drawn(formulas) {
  for (const text of new Set(formulas.map((formula) => formula.closest(".prose")))) redrawn(text);
}

function redrawn(text) {
  if (!text?.isConnected) return;
  text.dispatchEvent(new CustomEvent("laurel:redrawn", { bubbles: true }));
  scrollers();
}

// What is too wide scrolls in a box of its own.
let due = 0;
function scrollers() {
  cancelAnimationFrame(due);
  due = requestAnimationFrame(() => texts.scrollers(root));
}
