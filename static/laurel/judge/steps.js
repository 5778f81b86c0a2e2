// One criterion at a time: which one the keys answer, and on a phone which one is to be seen.
const question = (root) => root.querySelector("#question");

export const criteria = (root) => [...(question(root)?.querySelectorAll(".criterion") ?? [])];
export const active = (root) => criteria(root).find((each) => each.classList.contains("is-active")) ?? criteria(root)[0];
export const kindOf = (root) => question(root)?.dataset.kind ?? "";
export const nameOf = (criterion) => criterion.querySelector(".criterion__name b").textContent.trim();

// Go to a criterion; `answered(criterion)` says which ones are ticked off.
export function go(root, criterion, answered) {
  question(root).classList.add("is-stepped");
  for (const [number, each] of criteria(root).entries()) {
    const here = each === criterion;
    each.classList.toggle("is-active", here);
    const step = question(root).querySelector(`[data-step="${number}"]`);
    step?.setAttribute("aria-pressed", String(here));
    step?.classList.toggle("is-answered", Boolean(answered(each)));
  }
}

// The next one without an answer, from the active one on and round.
export function nextUnanswered(root, answered) {
  const all = criteria(root);
  const from = all.indexOf(active(root));
  return [...all.slice(from + 1), ...all.slice(0, from + 1)].find((each) => !answered(each));
}

// The script says what is missing itself, in better words than the browser's.
export function ready(root) {
  for (const control of question(root).querySelectorAll("[required]")) control.required = false;
}

// Scroll only when it is out of sight: the page must not jump while somebody reads and presses keys.
export function reveal(element) {
  const box = element.getBoundingClientRect();
  const panel = element.closest(".work__answer")?.getBoundingClientRect();
  const actions = document.querySelector(".actions")?.getBoundingClientRect();
  const top = Math.max(0, panel?.height ? panel.top : 0);
  const bottom = Math.min(innerHeight, panel?.height ? panel.bottom : innerHeight);
  const covered = actions && actions.top > top && actions.top < bottom && actions.left < box.right && box.left < actions.right;
  if (box.top < top || box.bottom > (covered ? actions.top : bottom)) element.scrollIntoView({ block: "center" });
}

// Bring a response into view: its letter was pressed.
export function showResponse(root, button) {
  const response = root.querySelector(`.response[data-response="${button.dataset.show}"]`);
  if (!response) return;
  for (const each of root.querySelectorAll(".response.is-shown")) each.classList.remove("is-shown");
  response.classList.add("is-shown");
  response.scrollIntoView({ block: "start" });
  setTimeout(() => response.classList.remove("is-shown"), 1500);
}

export function note(root, text) {
  const box = question(root).querySelector("[data-note]");
  if (!box) return;
  box.textContent = text;
  box.hidden = !text;
}

export function changed(control) {
  for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind, { bubbles: true }));
}
