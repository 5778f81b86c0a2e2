// A text as the server rendered it, whatever has been drawn over it since: the concatenation of its text nodes,
// without what scripts added ([data-added]); a formula is its source. Places in it are UTF-16 offsets.

// { text, pieces: [{ node, start, end, whole }] }; a `whole` piece is an element that cannot be cut.
export function read(prose) {
  const pieces = [];
  let text = "";
  const take = (node, content, whole) => {
    pieces.push({ node, start: text.length, end: text.length + content.length, whole });
    text += content;
  };
  (function walk(parent) {
    for (const child of parent.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) take(child, child.data, false);
      else if (child.nodeType !== Node.ELEMENT_NODE || child.dataset.added !== undefined) continue;
      else if (child.classList.contains("math")) take(child, sourceOf(child), true);
      else walk(child);
    }
  })(prose);
  return { text, pieces };
}

export const sourceOf = (formula) => (formula.querySelector(":scope > .math__source") ?? formula).textContent;

// The range of the page that shows text[start, end), or null.
export function rangeAt({ pieces }, start, end) {
  const first = pieces[count(pieces, (piece) => piece.end <= start)];
  const last = pieces[count(pieces, (piece) => piece.start < end) - 1];
  if (!first || !last || start >= end) return null;
  const range = new Range();
  if (first.whole) range.setStartBefore(first.node); else range.setStart(first.node, Math.max(start - first.start, 0));
  if (last.whole) range.setEndAfter(last.node); else range.setEnd(last.node, Math.min(end, last.end) - last.start);
  return range;
}

// How many pieces from the first on are so; they stand in order.
function count(pieces, isSo) {
  let [low, high] = [0, pieces.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSo(pieces[middle])) low = middle + 1; else high = middle;
  }
  return low;
}

// The place of a range of the page inside the text: { start, end }; half a formula is the whole of it.
export function placeOf({ text, pieces }, range) {
  const start = offsetOf(pieces, range.startContainer, range.startOffset, text.length, false);
  const end = offsetOf(pieces, range.endContainer, range.endOffset, text.length, true);
  return { start, end };
}

function offsetOf(pieces, container, offset, length, atEnd) {
  for (const piece of pieces) {
    if (piece.whole && piece.node.contains(container)) return atEnd ? piece.end : piece.start;
    if (piece.node === container) return piece.start + Math.min(offset, piece.end - piece.start);
  }
  const point = new Range();
  point.setStart(container, offset);
  const next = pieces.find((piece) => point.comparePoint(piece.node.parentNode, indexOf(piece.node)) >= 0);
  return next ? next.start : length;
}

const indexOf = (node) => [...node.parentNode.childNodes].indexOf(node);
