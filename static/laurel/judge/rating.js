// Ratings: a row of points for each response under each criterion. A number rates the row and goes on to the next.
import { announce, toast } from "./place.js";
import { changed, kindOf, ready, reveal, showResponse } from "./steps.js";

let root = null;
const mine = () => kindOf(root) === "rating";
const rows = () => [...root.querySelectorAll("#question [data-row]")];
const points = (row) => [...row.querySelectorAll("[type=radio]")];
const rated = (row) => points(row).find((point) => point.checked);

export function start(main) {
  root = main;
  root.addEventListener("laurel:item", () => { if (mine()) begin(); });
  root.addEventListener("laurel:pick", (event) => { if (mine()) pick(event); });
  root.addEventListener("laurel:move", (event) => { if (mine()) move(event); });
  root.addEventListener("laurel:submit", (event) => { if (mine()) check(event); });
  root.addEventListener("click", (event) => { if (mine() && event.target.closest("[data-show]")) showResponse(root, event.target.closest("[data-show]")); });
  root.addEventListener("focusin", (event) => { if (mine() && event.target.closest("[data-row]")) mark(event.target.closest("[data-row]")); });
}

function begin() {
  ready(root);
  mark(rows().find((row) => !rated(row)) ?? rows()[0]);
}

const active = () => document.activeElement?.closest("#question [data-row]") ?? root.querySelector("[data-row].is-active");

function mark(row) {
  for (const each of rows()) each.classList.toggle("is-active", each === row);
}

function show(row) {
  mark(row);
  (rated(row) ?? points(row)[0]).focus({ preventScroll: true });
  reveal(row);
}

function pick(event) {
  const row = active();
  const point = points(row)[event.detail.number - 1];
  if (!point) return;
  event.preventDefault();
  point.checked = true;
  changed(point);
  announce(`${row.getAttribute("aria-label")}: ${point.value}`);
  const after = rows().slice(rows().indexOf(row) + 1);
  show(after.find((each) => !rated(each)) ?? rows().find((each) => !rated(each)) ?? after[0] ?? row);
}

function move(event) {
  event.preventDefault();
  const to = rows()[rows().indexOf(active()) + event.detail];
  if (to) show(to);
}

function check(event) {
  const missing = rows().find((row) => !rated(row));
  if (!missing) return;
  event.preventDefault();
  toast(root.dataset.rateAll);
  show(missing);
}
