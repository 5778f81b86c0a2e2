// How a person likes to read: size of the text, columns, their widths. A plain script in the head, so that the
// first paint has it already; layout.js changes it. Kept in this browser.
(() => {
  "use strict";
  const KEY = "laurel-view";
  const SIZES = [0.85, 0.925, 1, 1.125, 1.25, 1.5];
  const USUAL = { size: 2, split: 50, stacked: false, apart: false, compare: false };
  const html = document.documentElement;
  let kept = { ...USUAL };

  function load() {
    let stored = {};
    try { stored = JSON.parse(localStorage.getItem(KEY)) || {}; } catch { /* unreadable: as usual */ }
    for (const name of Object.keys(USUAL)) kept[name] = typeof stored[name] === typeof USUAL[name] ? stored[name] : USUAL[name];
    kept.size = Math.min(Math.max(Math.round(kept.size), 0), SIZES.length - 1);
    kept.split = Math.min(Math.max(kept.split, 20), 80);
    if (Number.isNaN(kept.size + kept.split)) kept = { ...USUAL };
  }
  function show() {
    html.style.setProperty("--reading-scale", SIZES[kept.size]);
    html.style.setProperty("--first-column", `${kept.split}fr`);
    html.style.setProperty("--second-column", `${100 - kept.split}fr`);
    html.dataset.columns = kept.stacked ? "stacked" : "beside";
    html.dataset.scroll = kept.apart ? "apart" : "together";
  }

  load();
  show();
  window.laurelView = {
    sizes: SIZES.length,
    usual: USUAL,
    get: (name) => kept[name],
    set(changes) {
      kept = { ...kept, ...changes };
      show();
      try { localStorage.setItem(KEY, JSON.stringify(kept)); } catch { /* private window: as long as the page */ }
    },
    percent: () => Math.round(100 * SIZES[kept.size]),
  };
  window.addEventListener("storage", (event) => { if (event.key === KEY) { load(); show(); } });
})();
