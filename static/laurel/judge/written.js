// A page with texts that people or models wrote. What draws them is loaded when there is something to draw.
const main = document.getElementById("main");
let drawing = null;

async function draw() {
  if (!main.querySelector(".prose .math, .prose pre, .prose__table")) return;
  if (!drawing) {
    drawing = import("./texts.js");
    (await drawing).start(main);
  }
  (await drawing).draw(main);
}

draw();
main.addEventListener("htmx:afterSwap", draw);
