// What a chart says in words and figures, in the language of the page; the table beside it says the same.
const root = document.documentElement;
const language = root.lang || undefined;
const dates = (options) => new Intl.DateTimeFormat(language, { timeZone: "UTC", numberingSystem: "latn", ...options });
const MINUS = root.dir === "rtl" ? "\u200e−" : "−";  // the mark keeps the sign before its number
const LONG = dates({ dateStyle: "long" });
const SHORT = dates({ day: "numeric", month: "short" });
const MONTH = dates({ month: "short", year: "numeric" });
const YEAR = 366 * 86_400_000;

// `figures`: see annotation/chart_data.py; `pattern`: "Week of %date".
export function wordsOf(figures, pattern) {
  const day = (place) => new Date(figures.labels[place]);
  const long = () => day(figures.labels.length - 1) - day(0) > YEAR;
  const number = (value, places = 0) => new Intl.NumberFormat(language, {
    numberingSystem: "latn", minimumFractionDigits: places, maximumFractionDigits: places,
  }).formatToParts(value).map((part) => marked(part, figures.marks)).join("");

  function written(value) {
    if (value === null || value === undefined) return "–";
    if (figures.unit === "share") return `${number(100 * value)} %`;
    return figures.unit === "coefficient" ? coefficient(value, number, figures.marks[1]) : number(value);
  }

  function percent(series, place) {
    const total = figures.series.reduce((sum, one) => sum + (one.values[place] ?? 0), 0);
    return total ? Math.floor((100 * (series.values[place] ?? 0)) / total + 0.5) : 0;
  }

  return {
    written,
    percent,
    place(place) {
      if (!figures.dates) return figures.labels[place];
      const words = LONG.format(day(place));
      return figures.dates === "week" ? pattern.replace("%date", words) : words;
    },
    tick: (place) => (figures.dates ? (long() ? MONTH : SHORT).format(day(place)) : figures.labels[place]),
    value(series, place) {
      const found = `${series.name}: ${written(series.values[place])}`;
      if (figures.kind === "stacked") return `${found} · ${percent(series, place)} %`;
      const [low, high] = [series.low?.[place], series.high?.[place]];
      if (typeof low !== "number" || typeof high !== "number") return found;
      return `${found} (95 %: ${written(low)}–${written(high)})`;
    },
  };
}

// The marks that the rest of the page puts between thousands and before decimals.
function marked(part, [thousands, decimals]) {
  return { group: thousands, decimal: decimals, minusSign: MINUS }[part.type] ?? part.value;
}

// .35, −.05, 1, 0: as statistics are printed; annotation.charts.decimal does the same.
function coefficient(value, number, mark) {
  const text = number(Math.abs(value), 2);
  const [whole, rest] = text.split(mark);
  if (!/[1-9]/.test(rest)) return whole === "0" ? "0" : number(Math.round(value));
  const found = whole === "0" && mark === "." ? `.${rest}` : text;
  return value < 0 ? MINUS + found : found;
}
