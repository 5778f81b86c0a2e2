// What is saved and what is not, for everybody to see: #save-state and the notices above the page.
import { announce, notice } from "./place.js";

const WORST_FIRST = ["stranger", "signed-out", "offline", "server", "unsaved", "saving", "saved"];
const SHOWN_AS = { stranger: "signed-out", server: "unsaved" };
const told = {};
let kept = 0;
let said = "saved";

// `source` is who tells: "answers" or "draft"; `state` one of WORST_FIRST.
export function report(source, state, answersKept = kept) {
  told[source] = state;
  kept = answersKept;
  show();
}

// Called again after #status was exchanged.
export function show() {
  const state = WORST_FIRST.find((each) => Object.values(told).includes(each)) || "saved";
  showState(SHOWN_AS[state] || state);
  for (const name of WORST_FIRST.slice(0, 4)) {
    const box = notice(name);
    if (!box) continue;
    box.hidden = name !== state || (name === "offline" && !kept);
    for (const count of box.querySelectorAll("[data-count]")) count.textContent = kept.toLocaleString(document.documentElement.lang);
    for (const line of box.querySelectorAll("[data-if-kept]")) line.hidden = !kept;
  }
  const box = notice(state);
  if (state !== said && box && !box.hidden) announce(box.querySelector("[data-text]").innerText);
  said = state;
}

function showState(state) {
  const box = document.getElementById("save-state");
  if (!box || (box.dataset.state === state && box.firstElementChild)) return;
  const look = document.getElementById(`save-state-${state}`);
  box.dataset.state = state;
  if (look) box.replaceChildren(look.content.cloneNode(true));
}
