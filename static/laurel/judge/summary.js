// An answer in the words of its screen, for whoever has to be told that it was not stored.
const LONGEST = 160;

export function summary(form, item) {
  const prompt = item.querySelector(".prompt .turn:last-child .prose")?.textContent.trim() ?? "";
  const lines = [...form.elements].map(line).filter(Boolean);
  return { prompt: prompt.length > LONGEST ? `${prompt.slice(0, LONGEST)}…` : prompt, lines };
}

function line(control) {
  if (control.type === "hidden" || !control.name) return "";
  if (control.matches("[type=radio], [type=checkbox]")) {
    if (!control.checked) return "";
    const words = (control.labels[0]?.querySelector(".full") ?? control.labels[0])?.textContent.trim() ?? control.value;
    const row = control.closest("[role=radiogroup]")?.getAttribute("aria-label");
    return row ? `${row} ${words}` : words;
  }
  if (!control.value) return "";
  return control.matches("select") ? `${control.getAttribute("aria-label")} ${control.value}` : control.value;
}
