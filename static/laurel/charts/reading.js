// A chart under the keyboard: arrow keys go from value to value, and a live region says what each is.
const rtl = document.documentElement.dir === "rtl";

// `known()` gives the chart with its figures and words as they are now; `say` the live region.
export function readable(canvas, known, say) {
  let at = null;  // { place, part }

  function show() {
    const { chart, figures, words } = known();
    const parts = figures.kind === "stacked" ? [at.part] : figures.series.map((_, part) => part);
    const shown = parts.filter((part) => figures.series[part].values[at.place] !== null)
      .map((datasetIndex) => ({ datasetIndex, index: at.place }));
    chart.setActiveElements(shown);
    chart.tooltip.setActiveElements(shown, { x: 0, y: 0 });
    chart.update("none");
    const place = figures.kind === "stacked" && figures.labels.length === 1 ? "" : `${words.place(at.place)}. `;
    say.textContent = place + parts.map((part) => words.value(figures.series[part], at.place)).join(". ");
  }

  function leave() {
    at = null;
    say.textContent = "";
    const { chart } = known();
    chart.setActiveElements([]);
    chart.tooltip.setActiveElements([], { x: 0, y: 0 });
    chart.update("none");
  }

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape" && at) return leave();
    const { figures } = known();
    const step = stepOf(event.key, figures, at);
    if (!step) return;
    event.preventDefault();
    at = step;
    show();
  });
  canvas.addEventListener("blur", () => { if (at) leave(); });
  return () => { if (at) show(); };  // after new figures
}

// Where a key leads: along the chart; in a stack along the parts of a bar, and up and down between bars.
function stepOf(key, figures, at) {
  const stack = figures.kind === "stacked";
  const [parts, places] = [figures.series.length, figures.labels.length];
  const now = at ?? (stack ? { part: -1, place: 0 } : { part: 0, place: -1 });
  const [name, count] = stack ? ["part", parts] : ["place", places];
  const inside = (value, most) => Math.min(Math.max(value, 0), most - 1);
  const [on, back] = rtl ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
  const steps = { [on]: now[name] + 1, [back]: now[name] - 1, Home: 0, End: count - 1 };
  if (key in steps) return { ...now, [name]: inside(steps[key], count) };
  const rows = { ArrowDown: 1, ArrowUp: -1 };
  if (!stack || !(key in rows)) return null;
  return { part: inside(now.part, parts), place: inside(now.place + rows[key], places) };
}
