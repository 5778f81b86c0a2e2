// How charts look: the colours and the type of the page, as they are at this moment.
const NAMES = { ink: "--ink", ink2: "--ink-2", line: "--line", strong: "--line-strong", surface: "--surface" };
const SERIES = [1, 2, 3, 4, 5];

// light-dark() is only resolved where a property uses it.
export function looks() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, colour(name)]));
  found.series = Object.fromEntries(SERIES.map((number) => [number, colour(`--data-${number}`)]));
  found.font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
  probe.remove();
  return found;
}

// Calls `redraw` when the theme button or the system changes the colours.
export function onTheme(redraw) {
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
    matchMedia(query).addEventListener("change", redraw);
  }
}
