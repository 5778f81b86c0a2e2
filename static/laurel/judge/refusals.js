// Answers the server will not take: each stays, with its content and what to do, until the person has seen to it.
import { discard, refused } from "./outbox.js";
import { notice, place } from "./place.js";

export function show() {
  const box = notice("refused");
  if (!box) return;
  const all = refused();
  box.hidden = !all.length;
  box.querySelector("[data-list]").replaceChildren(...all.map((entry) => row(box, entry)));
}

function row(box, entry) {
  const made = box.querySelector("template").content.cloneNode(true);
  const part = (name) => made.querySelector(`[data-part=${name}]`);
  part("said").textContent = entry.said || (entry.status === 404 ? place.gone : place.refused);
  part("prompt").textContent = entry.summary.prompt;
  part("lines").replaceChildren(...entry.summary.lines.map(listed));
  const open = part("open");
  open.href = `${place.judge}${entry.assignment}/`;
  open.hidden = entry.status === 404;
  part("discard").addEventListener("click", () => { discard(entry); show(); });
  return made;
}

function listed(text) {
  const item = document.createElement("li");
  item.dir = "auto";
  item.textContent = text;
  return item;
}
