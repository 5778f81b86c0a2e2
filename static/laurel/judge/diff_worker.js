// Which words of two texts only one of them has. Runs beside the page, so that it stays quick.
import "../../vendor/diff/diff.min.js";

// A word, one sign of a script that writes none apart, or a sign.
const WORD = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmr}\p{sc=Mymr}]\p{M}*|[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}]+)*|\S/gu;
const LIMITS = { timeout: 4_000, maxEditLength: 6_000 };
const LEAST_IN_COMMON = 0.15;
const MOST_PLACES = 4_000;

self.onmessage = ({ data: { id, first, second } }) => self.postMessage({ id, ...compare(first, second) });

function compare(first, second) {
  const one = [...first.matchAll(WORD)];
  const two = [...second.matchAll(WORD)];
  const changes = self.Diff.diffArrays(one.map(String), two.map(String), LIMITS);
  if (!changes) return { verdict: "different" };
  const [firstOnly, secondOnly] = [[], []];
  let [i, j, same] = [0, 0, 0];
  for (const { count, added, removed } of changes) {
    if (added) secondOnly.push(placeOf(two, j, count));
    else if (removed) firstOnly.push(placeOf(one, i, count));
    else same += count;
    if (!added) i += count;
    if (!removed) j += count;
  }
  if (2 * same < LEAST_IN_COMMON * (one.length + two.length)) return { verdict: "different" };
  if (firstOnly.length + secondOnly.length > MOST_PLACES) return { verdict: "different" };
  return { verdict: firstOnly.length + secondOnly.length ? "comparing" : "same", firstOnly, secondOnly };
}

function placeOf(found, from, count) {
  const last = found[from + count - 1];
  return [found[from].index, last.index + last[0].length];
}
