// The marks as a list under the reasons: the words, the reason, a button that removes the mark.
import { reveal } from "./long.js";
import { flash, rangeOf } from "./marks.js";
import { letterOf, part, say, textOf, words } from "./parts.js";
import { read } from "./text.js";

const SHORT = 60;  // characters of a quote in the list
let shown = [];

export function start(root, remove) {
  root.addEventListener("click", (event) => {
    const row = event.target.closest(".marks__one");
    if (!row) return;
    const index = [...row.parentElement.children].indexOf(row);
    if (event.target.closest("[data-goes]")) go(shown[index]);
    if (!event.target.closest("[data-removes]")) return;
    remove(index);
    const rows = root.querySelectorAll(".marks__one [data-removes]");
    (rows[Math.min(index, rows.length - 1)] ?? root.querySelector("#reason > summary"))?.focus();
  });
}

export const nameOf = letterOf;

export function show(field, marks, responseAt) {
  let box = field.parentElement.querySelector(":scope > .marks");
  if (!marks.length) { box?.remove(); shown = []; return; }
  if (!box) { box = part("marks"); field.after(box); }
  shown = marks.map((mark) => ({ mark, response: responseAt(mark.response) }));
  box.querySelector("ul").replaceChildren(...shown.map(row));
}

function row({ mark, response }) {
  const item = part("mark");
  const line = mark.quote.replace(/\s+/g, " ");
  const quote = line.length > SHORT ? `${[...line].slice(0, SHORT).join("")}…` : line;
  const letter = response ? letterOf(response) : "?";
  item.querySelector(".marks__go").textContent = say(words.mark, { letter, quote });
  item.querySelector(".marks__reason").textContent = mark.reason ?? "";
  item.querySelector(".marks__remove").setAttribute("aria-label", say(words.remove, { quote }));
  return item;
}

function go({ mark, response }) {
  if (!response) return;
  reveal(response);
  const range = rangeOf(read(textOf(response)), mark);
  if (!range) return;
  const holder = range.startContainer;
  (holder.nodeType === Node.ELEMENT_NODE ? holder : holder.parentElement).scrollIntoView({ block: "center" });
  flash(range);
}
