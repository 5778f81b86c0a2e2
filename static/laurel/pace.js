// How work flows around the items: looks for new ones while there are none, and reminds of a break.
const LOOK_EVERY = 20_000;
const LONGEST_GAP = 5 * 60_000; // a pause of its own: the count begins again
const LATER = 10 * 60_000;
const stored = {
  get(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* a full or closed store */ } },
};

// --- the end of the queue ---

async function look() {
  const empty = document.querySelector(".empty[data-waits]");
  if (!empty || document.visibilityState !== "visible") return;
  try {
    const answer = await fetch(empty.dataset.waits, { headers: { "Laurel-Fetch": "1" }, redirect: "error" });
    if (answer.headers.get("Laurel-Current")) location.assign(empty.dataset.judge);
    if (answer.status !== 200 || !empty.isConnected) return;
    const part = document.createRange().createContextualFragment(await answer.text());
    const said = document.getElementById("announce");
    if (said) said.textContent = part.querySelector("h1")?.textContent ?? "";
    empty.replaceWith(part);
  } catch { /* offline or signed out: the next look may find it better, “Look again” always says what is wrong */ }
}

// --- breaks ---

function remind(box) {
  const off = `laurel:break-off:${box.dataset.user}`;
  const span = `laurel:break-span:${box.dataset.user}`;
  const longest = Number(box.dataset.minutes) * 60_000;

  function worked() {
    const now = Date.now();
    const before = stored.get(span);
    const going = before && now - before.last <= LONGEST_GAP && before.last <= now;
    const kept = { since: going ? before.since : now, last: now };
    stored.set(span, kept);
    box.hidden = stored.get(off) === true || now - kept.since < longest;
  }

  box.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-break]")?.dataset.break;
    if (!chosen) return;
    if (chosen === "never") stored.set(off, true);
    stored.set(span, { since: Date.now() - Math.max(0, longest - LATER), last: Date.now() });
    box.hidden = true;
  });
  for (const kind of ["laurel:item", "input", "keydown", "pointerdown", "scroll"]) {
    let last = 0;
    document.addEventListener(kind, (event) => {
      if (box.contains(event.target) || (kind !== "laurel:item" && Date.now() - last < 1000)) return;
      last = Date.now();
      worked();
    }, { passive: true, capture: true });
  }
  worked();
}

function breakSwitch(line) {
  const off = `laurel:break-off:${line.dataset.user}`;
  const box = line.querySelector("input");
  box.checked = stored.get(off) !== true;
  box.addEventListener("change", () => stored.set(off, !box.checked));
  line.hidden = false;
}

setInterval(look, LOOK_EVERY);
document.addEventListener("visibilitychange", look);
const reminder = document.getElementById("break");
if (reminder) remind(reminder);
const line = document.querySelector("[data-break-switch]");
if (line) breakSwitch(line);
