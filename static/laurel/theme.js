// Small behaviours every page shares: the theme button, dialogs, menus, copying, toasts. Pages work without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  const names = JSON.parse(document.querySelector("[data-theme-names]")?.dataset.themeNames || "{}");

  function showTheme(button, theme) {
    const label = names[theme] || theme;
    button.setAttribute("aria-label", label);
    button.title = label;
    for (const icon of button.querySelectorAll("[data-icon]")) icon.toggleAttribute("hidden", icon.dataset.icon !== theme);
  }

  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.hidden = false;
    showTheme(button, root.dataset.theme || "system");
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
      if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
      const secure = location.protocol === "https:" ? "; Secure" : "";
      document.cookie = `laurel_theme=${next}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
      showTheme(button, next);
    });
  }

  document.addEventListener("click", async (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      const dialog = document.querySelector(opener.dataset.opens);
      if (dialog instanceof HTMLDialogElement && !dialog.open) {
        event.preventDefault();
        dialog.showModal();
      }
    }
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
    if (event.target instanceof HTMLDialogElement) event.target.close();  // a click on the backdrop
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const copier = event.target.closest("[data-copy]");
    if (copier) {
      const source = document.querySelector(copier.dataset.copy);
      await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
      toast(copier.dataset.copied || "Copied");
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // What scrolls sideways must be reachable by keyboard; what does not need not be a stop.
  function markScrollers() {
    for (const box of document.querySelectorAll(".prose pre, .prose__table, .prose .math, .table-wrap, .code")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; else box.removeAttribute("tabindex");
    }
  }
  markScrollers();

  // On a phone the open tab may lie beyond the edge of the bar.
  const tab = document.querySelector(".tabs [aria-current]");
  if (tab) tab.parentElement.scrollLeft += tab.getBoundingClientRect().left - (innerWidth - tab.offsetWidth) / 2;

  window.addEventListener("resize", markScrollers);
  document.addEventListener("htmx:afterSettle", markScrollers);

  function toast(text) {
    const box = document.querySelector(".toasts");
    if (!box) return;
    const item = document.createElement("div");
    item.className = "toast";
    item.textContent = text;
    box.append(item);
    setTimeout(() => item.remove(), 4000);
  }
  window.laurel = { toast, markScrollers };
})();
