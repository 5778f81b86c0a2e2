// From figures (annotation/chart_data.py) to what Chart.js draws. Nothing moves: no animation, first time or later.
import { bands, shares } from "./marks.js";

const rtl = document.documentElement.dir === "rtl";
const START = rtl ? "right" : "left";
const MARKS = { 1: "circle", 2: "rect", 3: "triangle", 4: "rectRot", 5: "cross" };  // as partials/chart_mark.html
const MANY = 45;  // points on a line; more are not marked one by one
const END = 20;  // px after the last value, for half the words under it
const BAR = 28;  // px, the height of a stack's bar

export function configOf(figures, words, looks) {
  const made = { line, bars, stacked, histogram }[figures.kind](figures, words, looks);
  return {
    type: made.type,
    data: { labels: figures.labels, datasets: made.datasets },
    plugins: [bands, shares],
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      layout: { padding: figures.kind === "stacked" ? 0 : { [rtl ? "left" : "right"]: END } },
      font: looks.font,
      color: looks.ink2,
      interaction: { mode: "index", intersect: false },
      ...made.options,
      plugins: { legend: { display: false }, tooltip: tooltip(figures, words, looks) },
    },
  };
}

// The height a stack needs; others leave it to the style sheet.
export function heightOf(figures) {
  if (figures.kind !== "stacked") return null;
  return figures.labels.length > 1 ? figures.labels.length * 1.5 * BAR + 24 : BAR;
}

function line(figures, words, looks) {
  const all = figures.series.flatMap((one) => [...one.values, ...one.low, ...one.high]);
  const ends = all.filter((value) => value !== null);
  const few = figures.labels.length <= MANY;
  return {
    type: "line",
    datasets: figures.series.map((one) => {
      const colour = looks.series[one.colour];
      const cross = one.colour === 5;
      return {
        label: one.name, data: one.values, low: one.low, high: one.high,
        borderColor: colour, borderWidth: 2, borderJoinStyle: "round",
        pointStyle: MARKS[one.colour], pointRadius: few ? 4 : 0, pointHoverRadius: 6, pointHitRadius: 12,
        pointBackgroundColor: colour, pointBorderColor: cross ? colour : looks.surface,
        pointBorderWidth: cross ? 2.5 : 1.5, pointHoverBorderWidth: cross ? 3.5 : 1.5,
      };
    }),
    options: {
      scales: {
        x: along(words, looks, { offset: few }),
        y: up(figures, words, looks, { suggestedMin: Math.min(0, ...ends), suggestedMax: Math.max(0, ...ends) }),
      },
    },
  };
}

function bars(figures, words, looks) {
  return {
    type: "bar",
    datasets: figures.series.map((one) => ({
      ...solid(one, looks), data: one.values,
      borderRadius: 2, maxBarThickness: 44, categoryPercentage: 0.86, barPercentage: 0.92,
    })),
    options: { scales: { x: along(words, looks), y: up(figures, words, looks, { beginAtZero: true }) } },
  };
}

function histogram(figures, words, looks) {
  const count = figures.labels.length;
  const edges = {
    type: "linear", min: 0, max: count, offset: false,
    afterBuildTicks: (axis) => { axis.ticks = figures.edges.flatMap((text, value) => (text ? [{ value }] : [])); },
    ticks: {
      ...text(looks), callback: (value) => figures.edges[value],
      maxRotation: 0, autoSkipPadding: 12, includeBounds: false,
    },
  };
  return {
    type: "bar",
    datasets: figures.series.map((one) => ({
      ...solid(one, looks), data: one.values.map((y, place) => ({ x: place + 0.5, y })),
      borderRadius: 2, categoryPercentage: 1, barPercentage: 0.94, grouped: false,
    })),
    options: {
      scales: { x: { ...along(words, looks), ...edges }, y: up(figures, words, looks, { beginAtZero: true }) },
    },
  };
}

function stacked(figures, words, looks) {
  const several = figures.labels.length > 1;
  const last = figures.series.length - 1;
  const bare = { border: { display: false }, grid: { display: false } };
  const parts = figures.series.map((one, number) => ({
    ...solid(one, looks), hoverBackgroundColor: looks.ink,
    data: figures.labels.map((_, place) => exactShare(figures, one, place)),
    shares: figures.labels.map((_, place) => words.percent(one, place)),
    borderColor: looks.surface, borderWidth: { [rtl ? "right" : "left"]: number ? 1 : 0 }, borderSkipped: false,
    borderRadius: several ? 0 : ends(number === 0, number === last), barThickness: BAR, stack: "one",
  }));
  return {
    type: "bar",
    datasets: parts,
    options: {
      indexAxis: "y",
      interaction: { mode: "nearest", intersect: true },
      scales: {
        x: {
          ...bare, display: several, stacked: true, min: 0, max: 100, reverse: rtl,
          ticks: { ...text(looks), callback: (value) => `${value} %`, maxTicksLimit: 5, maxRotation: 0 },
        },
        y: { ...bare, display: several, stacked: true, position: START, ticks: text(looks) },
      },
    },
  };
}

function exactShare(figures, one, place) {
  const total = figures.series.reduce((sum, each) => sum + (each.values[place] ?? 0), 0);
  return total ? (100 * (one.values[place] ?? 0)) / total : 0;
}

function ends(first, last) {
  const [start, end] = rtl ? [last, first] : [first, last];
  return { topLeft: start ? 5 : 0, bottomLeft: start ? 5 : 0, topRight: end ? 5 : 0, bottomRight: end ? 5 : 0 };
}

const solid = (one, looks) => ({
  label: one.name, backgroundColor: looks.series[one.colour], hoverBackgroundColor: looks.series[2],
});
const text = (looks) => ({ color: looks.ink2, font: looks.font });

function along(words, looks, more = {}) {
  return {
    reverse: rtl,
    grid: { display: false },
    border: { color: looks.strong },
    ticks: {
      ...text(looks), callback: (value) => words.tick(value), maxRotation: 0, autoSkipPadding: 20, maxTicksLimit: 8,
    },
    ...more,
  };
}

function up(figures, words, looks, more) {
  const precision = figures.unit === "count" ? 0 : undefined;  // no half judgments
  return {
    position: START,
    grid: { color: looks.line, lineWidth: 1, drawTicks: false },
    border: { display: false },
    ticks: { ...text(looks), padding: 8, maxTicksLimit: 5, precision, callback: (value) => words.written(value) },
    ...more,
  };
}

function tooltip(figures, words, looks) {
  const colours = figures.series.map((one) => looks.series[one.colour]);
  const colourOf = ({ datasetIndex }) => ({ backgroundColor: colours[datasetIndex], borderColor: colours[datasetIndex] });
  return {
    enabled: figures.kind !== "stacked" || figures.labels.length > 1,  // the legend of a single bar says all
    backgroundColor: looks.surface, borderColor: looks.strong, borderWidth: 1,
    titleColor: looks.ink, bodyColor: looks.ink,
    titleFont: { ...looks.font, weight: 600 }, bodyFont: { ...looks.font, size: 13 },
    padding: 10, cornerRadius: 6, caretSize: 0, caretPadding: 10,
    displayColors: figures.series.length > 1 && figures.kind === "line",
    boxWidth: 8, boxHeight: 8, boxPadding: 4, usePointStyle: true, rtl, textDirection: rtl ? "rtl" : "ltr",
    filter: (one) => one.raw !== null,
    callbacks: {
      labelColor: colourOf,
      title: ([one]) => (one ? words.place(one.dataIndex) : ""),
      label: (one) => words.value(figures.series[one.datasetIndex], one.dataIndex),
    },
  };
}
