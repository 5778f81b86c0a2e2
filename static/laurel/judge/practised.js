// An item of practice, answered: its texts are drawn as on the judging page.
import * as reading from "./reading.js";

const root = document.getElementById("judge");

if (root) {
  reading.start(root);
  root.querySelector("#item").dispatchEvent(new CustomEvent("laurel:item", { bubbles: true }));
}
