// Texts that are read and not judged (guidelines, the page of an item, gold): formulas and code as on the judging
// page. Also what it shares with that page: whatever is wider than its column scrolls in a box of its own.
import * as code from "./code.js";
import * as math from "./math.js";
import { ready, words } from "./parts.js";

export function draw(scope) {
  if (!ready) return;
  code.frame(scope);
  code.colour(scope, () => {});
  math.draw(scope, () => scrollers(scope));
  scrollers(scope);
}

export function start(main) {
  main.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (button) code.copy(button);
  });
  const again = () => scrollers(main);
  window.addEventListener("resize", again);
  document.fonts.addEventListener("loadingdone", again);  // formulas are as wide as their fonts make them
}

// A box that scrolls sideways can be reached by keyboard and named by a screen reader.
export function scrollers(scope) {
  const wide = [...scope.querySelectorAll(".prose .math--inline")].filter((formula) => formula.offsetWidth > formula.closest("p, li, td, th, h3, h4, h5, h6, .prose").clientWidth);
  for (const formula of wide) formula.classList.add("math--wide");
  window.laurel?.markScrollers?.();
  for (const box of scope.querySelectorAll(".prose :is(pre, .prose__table, .math)")) {
    if (box.hasAttribute("tabindex")) { box.setAttribute("role", "group"); box.setAttribute("aria-label", words.scrolls); }
    else if (box.getAttribute("aria-label") === words.scrolls) { box.removeAttribute("role"); box.removeAttribute("aria-label"); }
  }
}
