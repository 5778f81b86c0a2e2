// The judging page: keys, visible time, one answer in flight, nothing lost when the connection is.
// Without this file the page is plain forms; every rule that matters is enforced by the server.
(() => {
  "use strict";
  const root = document.getElementById("judge");
  if (!root) return;
  const words = root.dataset;
  const find = (selector) => root.querySelector(selector);
  const WAITS = [2, 4, 8, 15, 30];  // seconds between attempts after a failure

  let busy = false;
  let failed = null;  // the form whose request did not arrive
  let attempts = 0;
  let timer = 0;

  // ---- visible time -----------------------------------------------------------------------------------------
  let seen = 0;
  let since = document.hidden ? null : performance.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && since !== null) { seen += performance.now() - since; since = null; }
    if (!document.hidden && since === null) since = performance.now();
  });
  const secondsSeen = () => (seen + (since === null ? 0 : performance.now() - since)) / 1000;

  // ---- drafts: what is chosen and written survives a reload and a lost session ------------------------------
  const draftKey = () => `laurel-draft-${find("#answer [name=assignment]")?.value}`;
  const controls = () => [...document.querySelectorAll("[form=answer]")].filter((control) => control.name);

  function keepDraft() {
    if (!find("#answer")) return;
    const picked = controls().filter((control) => control.checked).map((control) => control.value);
    const draft = { picked, comment: find("#comment").value, at: Date.now() };
    try { localStorage.setItem(draftKey(), JSON.stringify(draft)); } catch { /* private window: no draft */ }
  }
  function forgetDraft(key) {
    try { localStorage.removeItem(key); } catch { /* as above */ }
  }
  function restoreDraft() {
    if (!find("#answer") || controls().some((control) => control.checked)) return;
    let draft = null;
    try { draft = JSON.parse(localStorage.getItem(draftKey())); } catch { /* unreadable: start afresh */ }
    if (!draft) return;
    for (const control of controls()) {
      if (control.matches("[type=radio], [type=checkbox]")) control.checked = draft.picked.includes(control.value);
    }
    find("#comment").value ||= draft.comment;
    if (draft.comment || controls().some((control) => control.type === "checkbox" && control.checked)) {
      find("#reason").open = true;
    }
  }
  function dropOldDrafts() {
    try {
      for (const key of Object.keys(localStorage)) {
        if (!key.startsWith("laurel-draft-")) continue;
        if (Date.now() - JSON.parse(localStorage.getItem(key)).at > 14 * 86400e3) localStorage.removeItem(key);
      }
    } catch { /* storage is off */ }
  }
  root.addEventListener("input", keepDraft);
  root.addEventListener("change", keepDraft);

  // ---- one request at a time; a failed one keeps everything and tries again with the same key ---------------
  // The element that asked; `detail.elt` is whatever the event was dispatched on, by then perhaps its parent.
  const asker = (event) => event.detail.requestConfig?.elt ?? event.detail.elt;

  document.addEventListener("submit", (event) => {
    if (event.target.id === "answer") event.target.elements.seconds.value = secondsSeen().toFixed(1);
  }, true);

  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = asker(event);
    if (!root.contains(form) || form.tagName !== "FORM") return;
    if (busy) { event.preventDefault(); return; }
    busy = true;
    clearTimeout(timer);
    root.classList.add("is-busy");
    root.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (asker(event).tagName !== "FORM") return;
    busy = false;
    root.classList.remove("is-busy");
    root.removeAttribute("aria-busy");
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo } = event.detail;
    const elt = asker(event);
    if (!root.contains(elt)) return;
    const answered = xhr.responseURL && new URL(xhr.responseURL).pathname;
    const asked = new URL(pathInfo.requestPath, location.href).pathname;
    if (answered && answered !== asked) {  // redirected to the sign-in page
      event.detail.shouldSwap = false;
      if (elt.tagName === "FORM") showUnsaved(elt, words.expired, false);
      else location.assign(elt.href);
      return;
    }
    if (elt.id === "answer" && (xhr.status === 200 || xhr.status === 409)) forgetDraft(draftKey());
  });
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:sendAbort"]) {
    document.addEventListener(name, (event) => { if (root.contains(asker(event))) showUnsaved(asker(event), words.offline, true); });
  }
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    const elt = asker(event);
    if (!root.contains(elt)) return;
    const again = xhr.status >= 500 || xhr.status === 429;
    showUnsaved(elt, again ? words.server : words.expired, again);
  });

  function showUnsaved(form, text, again) {
    const box = find("#unsaved");
    if (form.tagName !== "FORM" || !box) { window.laurel?.toast(text); return; }
    failed = again ? form : null;
    box.hidden = false;
    box.querySelector("[data-text]").textContent = text;
    const retryButton = box.querySelector("[data-retry]");
    const reload = box.querySelector("[data-reload]");
    retryButton.textContent = words.retry;
    reload.textContent = words.reload;
    retryButton.hidden = !again;
    reload.hidden = again;
    clearTimeout(timer);
    if (again) timer = setTimeout(retry, WAITS[Math.min(attempts++, WAITS.length - 1)] * 1000);
  }
  function retry() {
    clearTimeout(timer);
    if (failed && failed.isConnected && !busy) failed.requestSubmit();
  }
  window.addEventListener("online", retry);
  window.addEventListener("beforeunload", (event) => { if (failed) event.preventDefault(); });
  root.addEventListener("click", (event) => { if (event.target.closest("[data-retry]")) retry(); });

  // ---- the next item ----------------------------------------------------------------------------------------
  function settle(swapped) {
    for (const control of document.querySelectorAll("[data-needs-js]")) control.hidden = false;
    restoreDraft();
    if (!swapped) return;
    failed = null;
    attempts = 0;
    seen = 0;
    since = document.hidden ? null : performance.now();
    window.scrollTo(0, 0);
    find("[data-focus]")?.focus({ preventScroll: true });
    const problem = find("[data-problem]")?.textContent.trim();
    document.getElementById("announce").textContent = problem || find(".status").dataset.announce;
  }
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === root) settle(true);
    if (event.detail.target.id === "guidelines-body") document.getElementById("guidelines").showModal();
  });

  // ---- keys -------------------------------------------------------------------------------------------------
  const rtl = document.documentElement.dir === "rtl";
  const CHOICES = { 1: "a", a: "a", 2: "b", b: "b", 3: "tie", t: "tie", 4: "both_bad", x: "both_bad" };
  const ARROWS = { ArrowLeft: rtl ? "b" : "a", ArrowRight: rtl ? "a" : "b" };

  // The letter as typed; on a keyboard without Latin letters or bare digits, the one printed on that place.
  function keyOf(event) {
    if (/^[a-z0-9?]$/i.test(event.key)) return event.key.toLowerCase();
    if (event.shiftKey) return "";
    return (/^(?:Key|Digit)(.)$/.exec(event.code)?.[1] || "").toLowerCase();
  }
  const typing = (target) => target.isContentEditable || target.matches("textarea, select, input:not([type=radio], [type=checkbox])");

  function submitAnswer() {
    const form = find("#answer");
    if (!form || busy) return;
    if (!find("[name=choice]:checked")) { window.laurel?.toast(words.choose); return; }
    form.requestSubmit();
  }
  function choose(value) {
    const radio = find(`#choice-${value}`);
    if (!radio || busy) return;
    for (const panel of root.querySelectorAll("details.menu[open]")) panel.open = false;
    if (document.activeElement?.matches("a, button, summary")) document.activeElement.blur();  // Enter now submits
    if (radio.checked) { submitAnswer(); return; }
    radio.checked = true;
    radio.dispatchEvent(new Event("change", { bubbles: true }));
    document.getElementById("announce").textContent = radio.labels[0].querySelector(".full").textContent;
  }
  function openPanel(id, focus) {
    const panel = find(id);
    if (!panel) return;
    for (const other of root.querySelectorAll("details.menu[open]")) other.open = false;
    panel.open = true;
    const target = panel.querySelector(focus);
    target.focus({ preventScroll: id !== "#reason" });
    if (id === "#reason") panel.scrollIntoView({ block: "center" });
  }
  const ACTIONS = {
    r: () => openPanel("#reason", "input, textarea"),
    s: () => openPanel("#skip", "[data-confirm]"),
    f: () => openPanel("#flag", "textarea"),
    u: () => { const button = find("#undo button"); if (button && !button.disabled && !busy) find("#undo").requestSubmit(); },
    g: () => find("#open-guidelines").click(),
    "?": () => document.getElementById("help").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const target = event.target;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      const form = target.form;
      if (event.repeat || busy || document.querySelector("dialog[open]")) return;
      if (form && form.id !== "answer" && root.contains(form)) form.requestSubmit(); else submitAnswer();
      return;
    }
    if (event.key === "Escape" && typing(target)) { target.blur(); return; }
    if (typing(target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) {
      if (event.key === "?") { event.preventDefault(); document.getElementById("help").close(); }
      return;
    }
    if (event.key === "Enter") {
      if (target.matches("a, button, summary")) return;  // it does what it says
      event.preventDefault();
      if (!event.repeat) submitAnswer();
      return;
    }
    const choice = ARROWS[event.key] || CHOICES[keyOf(event)];
    if (ARROWS[event.key] && target.matches("[type=radio]")) return;  // the arrows of the radio group
    const action = ACTIONS[keyOf(event)];
    if (!choice && !action) return;
    event.preventDefault();
    if (event.repeat) return;
    if (choice) choose(choice); else action();
  });

  dropOldDrafts();
  settle(false);
})();
