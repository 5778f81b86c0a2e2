// Draws every figure[data-chart] of a page with Chart.js. Without this script the page has the same figures as tables.
//
// htmx may swap the figures: the place of the drawing is kept (hx-preserve), and an unchanged chart is left alone.
import { configOf, heightOf } from "./kinds.js";
import { looks, onTheme } from "./looks.js";
import { readable } from "./reading.js";
import { wordsOf } from "./words.js";

const drawn = new Map();  // the place of the drawing: its chart, and what it shows

function draw(figure) {
  const place = figure.querySelector(".chart__drawn");
  const known = drawn.get(place);
  if (known?.text !== figure.dataset.figures) show(place, figure);
}

function show(place, figure) {
  const text = figure.dataset.figures;
  const figures = JSON.parse(text);
  const words = wordsOf(figures, figure.dataset.week);
  const config = configOf(figures, words, looks());
  const height = heightOf(figures);
  place.style.blockSize = height ? `${height}px` : "";
  if (drawn.has(place) && drawn.get(place).figures.kind !== figures.kind) forget(place);
  const state = drawn.get(place);
  if (!state) return void drawn.set(place, begin(place, figure, { text, figures, words }, config));
  Object.assign(state, { text, figures, words });
  Object.assign(state.chart, { data: config.data, options: config.options });
  state.chart.update("none");
  state.readOn();
}

function begin(place, figure, state, config) {
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", figure.dataset.label);
  const say = document.createElement("p");
  say.className = "visually-hidden";
  say.setAttribute("aria-live", "polite");
  place.replaceChildren(canvas, say);
  state.chart = new window.Chart(canvas, config);
  state.readOn = readable(canvas, () => state, say);
  return state;
}

function forget(place) {
  drawn.get(place).chart.destroy();
  drawn.delete(place);
}

function drawAll(within) {
  for (const place of drawn.keys()) if (!place.isConnected) forget(place);
  for (const figure of within.querySelectorAll("figure[data-chart]")) draw(figure);
}

function again() {
  for (const [place, state] of drawn) {
    state.text = null;
    draw(place.closest("figure"));
  }
}

drawAll(document);
onTheme(again);
document.addEventListener("htmx:load", () => drawAll(document));
