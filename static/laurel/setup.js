// The forms of a project: an address proposed from the name, the starting text of the kind, a live ranking in the
// preview. The rows of criteria and the preview itself are htmx; without JavaScript all of it are buttons.
import * as ranking from "./judge/ranking.js";

document.documentElement.classList.add("has-js");
// htmx would carry the styles that dragging leaves on a card over to its successor; the policy refuses them.
if (window.htmx) window.htmx.config.attributesToSettle = ["class"];
const form = document.getElementById("project-form");
const name = document.getElementById("id_name");
const slug = document.getElementById("id_slug");
const text = document.getElementById("id_guidelines");

// "Café déjà vu" → "cafe-deja-vu", as the server would; an address somebody typed is left alone.
const proposed = (words) => words.normalize("NFKD").replace(/[^\w\s-]/g, "").trim().toLowerCase().replace(/[-\s]+/g, "-").slice(0, 80).replace(/^[-_]+|[-_]+$/g, "");
if (name && slug) {
  let mine = slug.value !== "" && slug.value !== proposed(name.value);
  if (!mine) slug.value = proposed(name.value);  // the name may be there before this script is
  slug.addEventListener("input", () => { mine = slug.value !== ""; });
  name.addEventListener("input", () => { if (!mine) slug.value = proposed(name.value); });
}

// Another kind brings its own starting text, as long as nobody has written in it.
if (form && text) {
  const starting = new Map([...form.querySelectorAll("template[data-starting]")].map((each) => [each.dataset.starting, each.content.textContent]));
  form.addEventListener("change", (event) => {
    if (event.target.name !== "kind") return;
    const untouched = [...starting.values()].some((one) => one.trim() === text.value.trim());
    if (untouched && starting.has(event.target.value)) text.value = starting.get(event.target.value);
  });
}

// The cards of a ranking can be moved in the preview too.
const tryout = document.getElementById("tryout");
function show() {
  const sheet = tryout.querySelector("#judge");
  if (sheet?.dataset.kind !== "ranking") return;
  ranking.start(sheet);
  sheet.querySelector("#item").dispatchEvent(new CustomEvent("laurel:item", { bubbles: true }));
}
if (tryout) {
  show();
  tryout.addEventListener("htmx:afterSwap", show);
}
