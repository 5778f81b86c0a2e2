// Pairs: a row of choices for each criterion. Answering one goes on to the next that has no answer.
import { announce, toast } from "./place.js";
import { active, changed, criteria, go, kindOf, nameOf, nextUnanswered, ready, reveal } from "./steps.js";

let root = null;
const mine = () => kindOf(root) === "pairwise";
const options = (criterion) => [...criterion.querySelectorAll("[type=radio]")];
const chosen = (criterion) => options(criterion).find((option) => option.checked);
const words = (option) => option.labels[0].querySelector(".full").textContent.trim();

export function start(main) {
  root = main;
  root.addEventListener("laurel:item", () => { if (mine()) begin(); });
  root.addEventListener("laurel:pick", (event) => { if (mine()) pick(event); });
  root.addEventListener("laurel:move", (event) => { if (mine()) move(event); });
  root.addEventListener("laurel:submit", (event) => { if (mine()) check(event); });
  root.addEventListener("click", click);
  root.addEventListener("focusin", focus);
}

function begin() {
  ready(root);
  go(root, criteria(root).find((each) => !chosen(each)) ?? criteria(root)[0], chosen);
}

function pick(event) {
  const criterion = active(root);
  const option = options(criterion)[event.detail.number - 1];
  if (!option) return;
  event.preventDefault();
  const single = criteria(root).length === 1;
  if (option.checked && single) { event.detail.again = true; return; }
  option.checked = true;
  changed(option);
  announce(single ? words(option) : root.dataset.chosen.replace("%criterion", nameOf(criterion)).replace("%answer", words(option)));
  if (!single) goOn(true);
}

function goOn(withFocus) {
  const next = nextUnanswered(root, chosen);
  go(root, next ?? active(root), chosen);
  if (withFocus) show(next ?? active(root));
}

function show(criterion) {
  (chosen(criterion) ?? options(criterion)[0]).focus({ preventScroll: true });
  reveal(criterion);
}

function move(event) {
  const all = criteria(root);
  const to = all[all.indexOf(active(root)) + event.detail];
  event.preventDefault();
  if (!to) return;
  go(root, to, chosen);
  show(to);
}

// A pointer's choice goes on too; the arrows within a row do not (their clicks have no detail).
function click(event) {
  if (!mine()) return;
  const step = event.target.closest("[data-step]");
  if (step) { go(root, criteria(root)[Number(step.dataset.step)], chosen); return; }
  const criterion = event.target.matches?.("[type=radio]") && event.target.closest(".criterion");
  if (!criterion || !event.detail || criteria(root).length === 1) return;
  go(root, criterion, chosen);
  goOn(false);
}

function focus(event) {
  const criterion = mine() && event.target.closest("#question .criterion");
  if (criterion && criterion !== active(root) && criteria(root).length > 1) go(root, criterion, chosen);
}

function check(event) {
  const missing = criteria(root).filter((each) => !chosen(each));
  if (!missing.length) return;
  event.preventDefault();
  const single = criteria(root).length === 1;
  const text = single ? root.dataset.choose : root.dataset.missing.replace("%s", missing.map(nameOf).join(", "));
  toast(text);
  if (single) return;
  go(root, missing[0], chosen);
  show(missing[0]);
}
