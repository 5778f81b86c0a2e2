// Practice: the widgets and keys of the judging page. An answer is a plain form: it goes at once, and the server
// leads to the next page. Places are not marked here: a practice answer does not keep them.
import * as choices from "./choices.js";
import * as clock from "./clock.js";
import * as diff from "./diff.js";
import * as keymap from "./keymap.js";
import * as keys from "./keys.js";
import * as layout from "./layout.js";
import * as ranking from "./ranking.js";
import * as rating from "./rating.js";
import * as reading from "./reading.js";

const root = document.getElementById("judge");
const form = document.getElementById("answer");
let agreed = false;  // the widgets have nothing to object
let sent = false;

const agree = () => root.querySelector("#item").dispatchEvent(new CustomEvent("laurel:submit", { bubbles: true, cancelable: true }));

function submit() {
  agreed = agree();
  if (agreed) form.requestSubmit();
}

function send(event) {
  if (sent || !(agreed || agree())) { event.preventDefault(); return; }
  agreed = false;
  sent = true;
  form.elements.seconds.value = clock.seconds().toFixed(1);
}

if (root && form) {
  for (const control of document.querySelectorAll("[data-needs-js]")) control.hidden = false;
  for (const module of [clock, keymap, choices, ranking, rating, layout, reading, diff]) module.start(root);
  keys.start(root, { submit, reopenLast() {} });
  form.addEventListener("submit", send);
  window.addEventListener("pageshow", (event) => { if (event.persisted) sent = false; });
  root.querySelector("#item").dispatchEvent(new CustomEvent("laurel:item", { bubbles: true }));
  keys.catchUp();
}
