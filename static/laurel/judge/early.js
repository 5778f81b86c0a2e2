// Keys pressed when the page is there and its modules are not, on a slow line: kept, and pressed again in order by
// keys.js (`catchUp`). A plain script in the head, so that it listens before there is anything to press a key for.
// What the browser or a field does with a key by itself stays as it is.
(() => {
  "use strict";
  const kept = [];
  const choice = (target) => target.matches("[type=radio], [type=checkbox]");

  function keep(event) {
    const target = event.target;
    if (event.defaultPrevented || event.isComposing || event.repeat || !(target instanceof Element)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.isContentEditable || target.matches("textarea, select, input:not([type=radio], [type=checkbox])")) return;
    const enter = event.key === "Enter";
    const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
    if (enter ? target.closest("a, button, summary") : sideways ? choice(target) : !/^[^\s]$/u.test(event.key)) return;
    if (enter && choice(target)) event.preventDefault();  // the form would go off by itself, past what waits here
    kept.push({ key: event.key, code: event.code, shiftKey: event.shiftKey });
  }
  // A choice by the mouse or on a touch screen comes after the keys before it, and counts instead of them.
  function chosen(event) {
    if (event.isTrusted) kept.length = 0;
  }
  function stop() {
    document.removeEventListener("keydown", keep);
    document.removeEventListener("change", chosen);
    document.removeEventListener("error", fail, true);
    return kept.splice(0);
  }
  function fail(event) {
    if (event.target instanceof HTMLScriptElement && event.target.type === "module") stop();  // plain forms remain
  }

  document.addEventListener("keydown", keep);
  document.addEventListener("change", chosen);
  document.addEventListener("error", fail, true);
  window.laurelKeys = stop;
})();
