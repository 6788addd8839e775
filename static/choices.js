/* The check page's sentence (details with data-part): the part that is open stays so when a choice brings the page anew.
   Without this file each choice closes its part. */
(() => {
  "use strict";

  document.addEventListener("toggle", (event) => {
    const part = event.target.closest?.("details[data-part]");
    const kept = part?.closest("form")?.elements.open_part;
    if (!kept) return;
    if (part.open) kept.value = part.dataset.part;
    else if (kept.value === part.dataset.part) kept.value = "";
  }, true); // a toggle does not bubble
  // A toggle comes a moment later, and a quick choice would close the part in which it was made, and lose the focus.
  document.addEventListener("change", (event) => {
    const part = event.target.closest?.("details[data-part][open]");
    const kept = part?.closest("form")?.elements.open_part;
    if (kept) kept.value = part.dataset.part;
  }, true);
})();
