// The monitoring page asks for news every 15 seconds. This keeps its place: open explanations, sideways scrolling;
// rests while nobody looks; and says so when the server cannot be reached. The page works without it.
(() => {
  "use strict";
  const main = () => document.getElementById("monitor");
  const about = (event) => event.target === main();
  let kept = null;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (about(event) && document.hidden) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!about(event)) return;
    if (!event.detail.xhr.responseText.includes('id="monitor"')) {  // signed out meanwhile
      event.detail.shouldSwap = false;
      if (event.detail.xhr.status === 200) location.reload();
      return;
    }
    kept = {
      open: [...main().querySelectorAll("details")].map((each) => each.open),
      left: Object.fromEntries([...main().querySelectorAll(".table-wrap[id]")].map((each) => [each.id, each.scrollLeft])),
    };
  });

  document.addEventListener("htmx:afterSettle", () => {
    if (!kept) return;
    main().querySelectorAll("details").forEach((each, place) => { each.open = Boolean(kept.open[place]); });
    for (const [id, left] of Object.entries(kept.left)) {
      const box = document.getElementById(id);
      if (box) box.scrollLeft = left;
    }
    kept = null;
  });

  function stale(event) {
    if (about(event)) window.laurel?.toast(main().dataset.stale);
  }
  document.addEventListener("htmx:sendError", stale);
  document.addEventListener("htmx:timeout", stale);
  document.addEventListener("htmx:responseError", stale);
})();
