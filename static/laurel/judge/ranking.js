// Rankings: a list of cards, the best first. The <select> on each card is the answer; dragging by the handle,
// the arrows, the number keys and the tie button all write into it. Equal numbers tie.
import { announce } from "./place.js";
import { active, changed, criteria, go, kindOf, nextUnanswered, note, ready, reveal, showResponse } from "./steps.js";

let root = null;
let writing = false;
let warned = false;  // of an order that was never touched
const mine = () => kindOf(root) === "ranking";
const listOf = (criterion) => criterion.querySelector("[data-ranks]");
const cards = (list) => [...list.querySelectorAll(".rank")];
const byLetter = (list) => cards(list).sort((one, other) => one.dataset.response - other.dataset.response);
const select = (card) => card.querySelector("select");
const place = (card) => Number(select(card).value);
const ranked = (criterion) => cards(listOf(criterion)).every(place);
const untouched = (list) => !cards(list).some(place);
const mayTie = () => "ties" in root.querySelector("#question").dataset;

export function start(main) {
  root = main;
  root.addEventListener("laurel:item", () => { if (mine()) begin(); });
  root.addEventListener("laurel:pick", (event) => { if (mine()) pick(event); });
  root.addEventListener("laurel:move", (event) => { if (mine()) move(event); });
  root.addEventListener("laurel:submit", (event) => { if (mine()) check(event); });
  root.addEventListener("change", (event) => { if (mine() && !writing && event.target.matches(".rank__place")) set(event.target.closest(".rank"), Number(event.target.value)); });
  root.addEventListener("click", click);
}

function begin() {
  ready(root);
  warned = false;
  note(root, "");
  for (const criterion of criteria(root)) {
    show(listOf(criterion));
    makeSortable(listOf(criterion));
  }
  go(root, criteria(root).find((each) => !ranked(each)) ?? criteria(root)[0], ranked);
}

async function makeSortable(list) {
  const { default: Sortable } = await import("../../vendor/sortablejs/sortable.esm.js");
  if (!list.isConnected || Sortable.get(list)) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  // Only the handle drags, so that a finger on the text scrolls. The fallback is the same for mouse and touch.
  Sortable.create(list, { handle: "[data-handle]", draggable: ".rank", forceFallback: true, fallbackTolerance: 3, animation: calm ? 0 : 120, ghostClass: "is-ghost", onEnd: ({ item, oldIndex, newIndex }) => { if (oldIndex !== newIndex) dropped(list, item); } });
}

// ---- the order as groups of tied cards, from the best down ----------------------------------------------------

// As it stands on the screen; a card is tied with the one above it when both have the same place.
function groups(list) {
  const found = [];
  for (const card of cards(list)) {
    const above = found.at(-1)?.at(-1);
    if (above && place(card) && place(card) === place(above)) found.at(-1).push(card);
    else found.push([card]);
  }
  return found;
}

function write(list, order) {
  for (const [number, group] of order.entries()) for (const card of group) remember(card, number + 1);
  settle(list);
}

function remember(card, rank) {
  select(card).value = rank || "";
  card.dataset.was = rank || "";
}

function settle(list) {
  show(list);
  note(root, "");
  warned = false;
  writing = true;
  changed(select(cards(list)[0]));
  writing = false;
  go(root, active(root), ranked);
}

// The cards in the order of their places, those without one last; the focus stays where it is.
function show(list) {
  const focused = document.activeElement;
  const last = Number.MAX_SAFE_INTEGER;
  const sorted = byLetter(list).sort((one, other) => (place(one) || last) - (place(other) || last));
  if (sorted.some((card, number) => card !== cards(list)[number])) list.append(...sorted);
  if (list.contains(focused) && focused !== document.activeElement) focused.focus({ preventScroll: true });
  for (const [number, card] of sorted.entries()) {
    const tied = number > 0 && place(card) > 0 && place(card) === place(sorted[number - 1]);
    card.classList.toggle("is-tied", tied);
    card.classList.toggle("is-open", !place(card));
    card.dataset.was = select(card).value;
    card.querySelector("[data-tie]")?.setAttribute("aria-pressed", String(tied));
  }
}

function tell(card) {
  const list = card.parentElement;
  const text = root.dataset.ranked.replace("%response", document.getElementById(`response-${"abcdefgh"[card.dataset.response]}`)?.textContent.trim() ?? "");
  announce(text.replace("%rank", place(card)).replace("%count", cards(list).length));
}

// ---- what people do -------------------------------------------------------------------------------------------

function set(card, rank) {
  const list = card.parentElement;
  const holder = cards(list).find((each) => each !== card && rank && place(each) === rank);
  if (holder && !mayTie()) remember(holder, Number(card.dataset.was));
  remember(card, rank);
  settle(list);
  if (rank) tell(card);
}

function pick(event) {
  const list = listOf(active(root));
  if (event.detail.number > cards(list).length) return;
  event.preventDefault();
  const card = current(list);
  set(card, event.detail.number);
  const after = byLetter(list).slice(byLetter(list).indexOf(card) + 1);
  const open = byLetter(list).find((each) => !place(each));
  const next = nextUnanswered(root, ranked);
  if (open || !next) { focus((open && after.find((each) => !place(each))) ?? open ?? after[0] ?? card); return; }
  go(root, next, ranked);
  focus(current(listOf(next)));
}

// The card in focus, else the first without a place.
function current(list) {
  const focused = document.activeElement?.closest(".rank");
  if (focused && list.contains(focused)) return focused;
  return byLetter(list).find((card) => !place(card)) ?? byLetter(list)[0];
}

function focus(card) {
  select(card).focus({ preventScroll: true });
  reveal(card);
}

// One step up or down: out of a tie first, else past the next group.
function move(event) {
  const card = document.activeElement?.closest(".rank");
  if (!card) return;
  event.preventDefault();
  const list = card.parentElement;
  const order = groups(list);
  const at = order.findIndex((group) => group.includes(card));
  const up = event.detail < 0;
  if (order[at].length > 1) {
    order[at] = order[at].filter((each) => each !== card);
    order.splice(up ? at : at + 1, 0, [card]);
  } else {
    const other = at + event.detail;
    if (!order[other]) return;
    [order[at], order[other]] = [order[other], order[at]];
  }
  write(list, order);
  tell(card);
  focus(card);
}

// Where it was dropped it stands alone; ties that it does not part stay.
function dropped(list, card) {
  remember(card, 0);
  const order = groups(list);
  write(list, order);
  tell(card);
}

function click(event) {
  if (!mine()) return;
  const step = event.target.closest("[data-step]");
  if (step) go(root, criteria(root)[Number(step.dataset.step)], ranked);
  const letter = event.target.closest("[data-show]");
  if (letter) showResponse(root, letter);
  const button = event.target.closest("[data-tie]");
  if (!button) return;
  const card = button.closest(".rank");
  const order = groups(card.parentElement);
  const at = order.findIndex((group) => group.includes(card));
  const within = order[at].indexOf(card);
  if (within > 0) order.splice(at, 1, order[at].slice(0, within), order[at].slice(within));
  else if (at > 0) order.splice(at - 1, 2, [...order[at - 1], ...order[at]]);
  write(card.parentElement, order);
  tell(card);
}

// Nothing is sent half ranked. An order nobody touched is asked about once; sent again it stands as shown.
function check(event) {
  const lists = criteria(root).map(listOf);
  const half = lists.find((list) => !untouched(list) && !cards(list).every(place));
  const never = lists.filter(untouched);
  if (half || (never.length && !warned)) {
    event.preventDefault();
    const list = half ?? never[0];
    const text = half ? root.dataset.rankAll : root.dataset.untouched;
    warned = !half;
    go(root, list.closest(".criterion"), ranked);
    note(root, text);
    announce(text);
    if (half) focus(current(list));
    return;
  }
  for (const list of never) for (const [number, card] of cards(list).entries()) remember(card, number + 1);
}
