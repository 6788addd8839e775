/* The sample's check page goes on by itself once it has been seen. It stays if the person does anything there, or wants
   less motion. Without this file they press the button. */
(() => {
  "use strict";
  const SEEN_MS = 2500;
  const note = document.querySelector("[data-sample]");
  const going = note.querySelector("[data-going]");
  const unscripted = note.querySelector(".unscripted");
  let timer = 0;
  const stay = () => {
    clearTimeout(timer);
    timer = -1;
    going.hidden = true;
    unscripted.hidden = false;
  };
  const begin = () => {
    const button = document.querySelector("#start-bar button");
    if (timer || !button) return;
    unscripted.hidden = true;
    going.hidden = false;
    timer = setTimeout(() => { if (button.isConnected) button.click(); }, SEEN_MS);
  };
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  ["pointerdown", "keydown", "wheel"].forEach((name) => addEventListener(name, stay, { once: true, passive: true }));
  document.addEventListener("htmx:after:swap", begin);
  begin();
})();
