// Pieces of page that the reading scripts add: templates/annotation/sheet/reading_parts.html, where their words
// are translated. Whatever is added inside a text says so with data-added: it is no part of the text.
const parts = document.getElementById("reading-parts");

export const ready = parts !== null;
export const words = parts?.dataset ?? {};

export function part(name) {
  const found = parts.content.querySelector(`[data-part="${name}"]`);
  const copy = document.importNode(found, true);
  delete copy.dataset.part;
  copy.dataset.added = "";
  return copy;
}

// "%n words", with numbers as people of this language write them.
const numbers = new Intl.NumberFormat(document.documentElement.lang || undefined);
export const say = (pattern, values) => Object.entries(values).reduce(
  (text, [name, value]) => text.replaceAll(`%${name}`, () => (typeof value === "number" ? numbers.format(value) : value)), pattern,
);

export const responses = (within) => [...within.querySelectorAll(".response[data-response]")];
export const textOf = (response) => response.querySelector(":scope > .prose");
export const letterOf = (response) => String.fromCharCode(65 + Number(response.dataset.response));
export const whenIdle = (work) => (window.requestIdleCallback ? requestIdleCallback(work, { timeout: 500 }) : setTimeout(work, 30));
