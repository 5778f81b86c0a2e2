// The judging page. Without it the page is plain forms; every rule that matters is enforced by the server.
import * as choices from "./choices.js";
import * as clock from "./clock.js";
import * as diff from "./diff.js";
import * as drafts from "./drafts.js";
import * as flow from "./flow.js";
import * as keymap from "./keymap.js";
import * as keys from "./keys.js";
import * as layout from "./layout.js";
import * as ranking from "./ranking.js";
import * as rating from "./rating.js";
import * as reading from "./reading.js";
import * as spans from "./spans.js";

// Drafts first: what was entered is back in its fields before anything shows it.
const modules = [drafts, clock, flow, keymap, choices, ranking, rating, layout, reading, spans, diff, keys];
const root = document.getElementById("judge");
const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));

if (root) {
  for (const module of modules) module.start?.(root);
  root.addEventListener("laurel:ahead", (event) => {
    for (const module of modules) if (module.prepare) whenIdle(() => module.prepare(event.detail.fragment));
  });
  document.getElementById("item")?.dispatchEvent(new CustomEvent("laurel:item", { bubbles: true }));
  flow.begin();
  keys.catchUp();
}
