// Formulas, drawn by KaTeX, which is loaded when a page has one. The source stays in the page, hidden, and is
// what is shown when a formula cannot or should not be drawn: a wrong one, a very long one, one of too many.
import { whenIdle, words } from "./parts.js";

const MOST = 500;  // formulas of an item
const LONGEST = 2_000;  // characters of a formula
const LONGEST_WITH_MACROS = 300;
const MOST_NODES = 10_000;  // elements of a drawn formula
const DEEPEST = 150;  // elements in one another: some twenty fractions; ten times that has crashed a browser
const SLICE = 12;  // milliseconds at a time
const PATIENCE = 3_000;  // milliseconds of drawing for an item
const MACROS = /\\(?:[gex]?def|let|futurelet|global|(?:re|provide)?newcommand|providecommand)\b/;
const DELIMITERS = [["$$", "$$"], ["\\[", "\\]"], ["\\(", "\\)"], ["$", "$"]];

let loaded = null;

function load() {
  loaded ??= new Promise((resolve, reject) => {
    const styles = document.createElement("link");
    styles.rel = "stylesheet";
    styles.href = words.katex;
    document.head.append(styles);
    import("../../vendor/katex/katex.min.js").then(() => resolve(globalThis.katex), reject);
  });
  return loaded;
}

// Draw the formulas within `scope`, a few milliseconds at a time; `drawn(formulas)` hears of each slice.
export async function draw(scope, drawn = () => {}) {
  const all = [...scope.querySelectorAll(".prose .math:not([data-drawn])")].slice(0, MOST);
  if (!all.length) return;
  for (const formula of all) formula.dataset.drawn = "";
  let katex = null;
  try { katex = await load(); } catch {  // offline: the source stays, until the next item
    loaded = null;
    for (const formula of all) delete formula.dataset.drawn;
    return;
  }
  let left = PATIENCE;
  while (all.length && left > 0) {
    const began = performance.now();
    const slice = [];
    while (all.length && performance.now() - began < SLICE) {
      const formula = all.shift();
      if (show(katex, formula)) slice.push(formula);
    }
    left -= performance.now() - began;
    drawn(slice);
    if (all.length) await new Promise((resolve) => { whenIdle(resolve); });
  }
}

function show(katex, formula) {
  const source = formula.textContent;
  const [open, close] = DELIMITERS.find(([first, last]) => source.startsWith(first) && source.endsWith(last)) ?? ["", ""];
  const tex = source.slice(open.length, source.length - close.length);
  if (tex.length > (MACROS.test(tex) ? LONGEST_WITH_MACROS : LONGEST)) return false;
  const picture = typeset(katex, tex, formula.classList.contains("math--block"));
  if (!picture) return false;
  const kept = document.createElement("span");
  kept.className = "math__source";
  kept.hidden = true;
  kept.textContent = source;
  const box = document.createElement("span");
  box.className = "math__drawn";
  box.dataset.added = "";
  box.append(picture);
  formula.replaceChildren(kept, box);
  return true;
}

function typeset(katex, tex, displayMode) {
  try {
    const tree = katex.__renderToDomTree(tex, {
      displayMode, trust: false, throwOnError: true, strict: "ignore", maxSize: 20, maxExpand: MACROS.test(tex) ? 100 : 500,
    });
    return clean(tree) ? tree.toNode() : null;
  } catch { return null; }  // not LaTeX, or nested beyond the stack
}

// Whether a drawn formula is small enough for a page. KaTeX sets styles as properties, but for a few in MathML
// as attributes, which the page's policy refuses: these go.
function clean(tree) {
  let count = 0;
  for (const queue = [[tree, 1]]; queue.length; count += 1) {
    const [node, depth] = queue.pop();
    if (count > MOST_NODES || depth > DEEPEST) return false;
    if (node.attributes) delete node.attributes.style;
    for (const child of node.children ?? []) queue.push([child, depth + 1]);
  }
  return true;
}
