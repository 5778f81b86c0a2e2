// Fenced code: a button that copies it, and colours for what is in view, by highlight.js, which is loaded when a
// page has code in a language it knows. The text of the code stays the same to the letter.
import { part, say, whenIdle, words } from "./parts.js";

const LONGEST = 20_000;  // characters; longer code stays in one colour
const NEAR = "400px";  // below the window

let loaded = null;
let watcher = null;

// The frame and its button; they take no time and shift nothing later.
export function frame(scope) {
  for (const block of scope.querySelectorAll(".prose pre")) {
    if (block.parentElement.classList.contains("codeblock")) continue;
    const box = part("code");
    delete box.dataset.added;  // the code in it is text
    box.querySelector("button").dataset.added = "";
    block.replaceWith(box);
    box.prepend(block);
  }
}

export function colour(scope, coloured) {
  watcher ??= new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      whenIdle(() => paint(target, coloured));
    }
  }, { rootMargin: NEAR });
  for (const code of scope.querySelectorAll(".prose pre > code[class^=language-]:not([data-coloured])")) watcher.observe(code);
}

async function paint(code, coloured) {
  const source = code.textContent;
  if (source.length > LONGEST || !code.isConnected) return;
  code.dataset.coloured = "";
  let html = "";
  try {
    loaded ??= import("../../vendor/highlight/highlight.min.js");
    const { default: highlight } = await loaded;
    html = highlight.highlight(source, { language: code.className.slice("language-".length), ignoreIllegals: true }).value;
  } catch { loaded = null; return; }  // offline: one colour
  const parsed = new DOMParser().parseFromString(`<pre>\n${html}</pre>`, "text/html").body.firstElementChild;
  if (!onlyColours(parsed) || parsed.textContent !== source || getSelection().containsNode(code, true)) return;
  code.replaceChildren(...parsed.childNodes);
  coloured(code);
}

const onlyColours = (parsed) => [...parsed.querySelectorAll("*")].every(
  (element) => element.localName === "span" && element.getAttributeNames().every((name) => name === "class"),
);

export async function copy(button) {
  const block = button.closest(".codeblock").querySelector("pre");
  try {
    await navigator.clipboard.writeText(block.textContent);
    window.laurel?.toast(words.copied);
  } catch { window.laurel?.toast(say(words.notCopied, {})); }
}
