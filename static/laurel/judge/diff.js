// “Compare words”: what only one of two responses says is marked in it, in the same way in both, so that neither
// looks like the right one. The texts are not touched. Off at first; the choice is kept.
import { letterOf, part, ready, responses, say, textOf, words } from "./parts.js";
import { announce } from "./place.js";
import { rangeAt, read } from "./text.js";

const LONGEST = 120_000;  // characters of a text
const PAINTING = "laurel-differs";
const paints = Boolean(globalThis.Highlight && CSS.highlights);
const view = window.laurelView;

let root = null;
let worker = null;
let asked = 0;
let pair = [0, 1];
let found = null;  // { texts, places } of the pair on the screen

export function start(main) {
  root = main;
  if (!ready || !view) return;
  root.addEventListener("laurel:item", () => { pair = [0, 1]; found = null; update(false); });
  root.addEventListener("laurel:redrawn", paint);
  root.addEventListener("click", (event) => { if (event.target.closest("[data-does=compare]")) toggleCompare(); });
  root.addEventListener("change", (event) => { if (event.target.closest(".compare")) choosePair(event.target.closest(".compare")); });
  root.addEventListener("toggle", (event) => { if (event.target.id === "view") showState(); }, true);
}

export function toggleCompare() {
  view.set({ compare: !view.get("compare") });
  update(true);
}

function update(aloud) {
  showState();
  const shown = responses(root);
  clear();
  if (!view.get("compare")) {
    if (aloud) announce(words.notComparing);
    return;
  }
  if (shown.length < 2) { if (aloud) tell(words.notTwo); return; }
  compare(shown);
}

function showState() {
  for (const button of root.querySelectorAll("[data-does=compare]")) button.setAttribute("aria-pressed", String(view.get("compare")));
}

function clear() {
  found = null;
  asked += 1;
  if (paints) CSS.highlights.delete(PAINTING);
  root.querySelector(".compare")?.remove();
}

// ---- the comparison -------------------------------------------------------------------------------------------

function compare(shown) {
  bar(shown);
  const texts = pair.map((index) => textOf(shown[index]));
  const [first, second] = texts.map((text) => read(text).text);
  if (!paints) { tell(words.unable); return; }
  if (Math.max(first.length, second.length) > LONGEST) { tell(words.long); return; }
  const id = (asked += 1);
  try { worker ??= new Worker(words.worker, { type: "module" }); } catch { tell(words.unable); return; }
  worker.onerror = () => { worker = null; tell(words.unable); };
  worker.onmessage = ({ data }) => { if (data.id === asked) arrived(texts, data); };
  worker.postMessage({ id, first, second });
}

function arrived(texts, { verdict, firstOnly = [], secondOnly = [] }) {
  found = { texts, places: [firstOnly, secondOnly] };
  paint();
  tell(words[verdict]);
}

function paint() {
  if (!found || !paints) return;
  const ranges = found.texts.flatMap((text, side) => {
    const source = read(text);
    return found.places[side].map(([start, end]) => rangeAt(source, start, end)).filter(Boolean);
  });
  CSS.highlights.set(PAINTING, new Highlight(...ranges));
}

// ---- the line above the responses -----------------------------------------------------------------------------

function bar(shown) {
  const line = part("compare");
  const selects = [...line.querySelectorAll("select")];
  selects.forEach((select, side) => {
    shown.forEach((response, index) => select.add(new Option(letterOf(response), index, false, index === pair[side])));
  });
  if (shown.length === 2) line.querySelectorAll(".compare__said ~ *").forEach((each) => each.remove());
  root.querySelector("#responses").before(line);
}

function choosePair(line) {
  const chosen = [...line.querySelectorAll("select")].map((select) => Number(select.value));
  if (chosen[0] === chosen[1]) { tell(words.notTwo); return; }
  pair = chosen;
  const shown = responses(root);
  const focused = document.activeElement?.matches("[data-second]") ? "[data-second]" : "[data-first]";
  clear();
  compare(shown);
  root.querySelector(`.compare ${focused}`)?.focus();
}

function tell(text) {
  const said = root.querySelector(".compare__said");
  if (said) said.textContent = text; else window.laurel?.toast(text);
  announce(text);
}
