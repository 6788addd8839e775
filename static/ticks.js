/* Ticking many rows of a form that carries data-ticks: Shift and a click tick a range, the arrow keys go from box to
   box (with Shift they carry the tick along), Escape takes all ticks away, and [data-ticked] says how many there are.
   The form works without this file. It must not know what the rows are. */
(() => {
  "use strict";
  const BOX = "tbody input[type=checkbox], li > input[type=checkbox]";
  const boxesOf = (form) => [...form.querySelectorAll(BOX)];
  let last = null; // the box that was ticked last: a range begins there

  const count = (form) => {
    const counter = form.querySelector("[data-ticked]");
    if (!counter) return;
    const ticked = boxesOf(form).filter((box) => box.checked).length;
    const text = ticked ? `${counter.dataset.some} ${ticked}` : counter.dataset.none;
    if (counter.textContent !== text) counter.textContent = text;
  };
  const formOf = (node) => node?.closest?.("form[data-ticks]");

  document.addEventListener("click", (event) => {
    const box = event.target.closest?.(BOX);
    const form = formOf(box);
    if (!form) return;
    const boxes = boxesOf(form);
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) boxes.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
    last = box;
    count(form);
  });

  document.addEventListener("change", (event) => {
    const form = formOf(event.target);
    if (!form) return;
    if (event.target.matches("[data-tick-all]")) boxesOf(form).forEach((box) => { box.checked = event.target.checked; });
    count(form);
  });

  document.addEventListener("keydown", (event) => {
    const form = formOf(event.target);
    if (!form || !event.target.matches(BOX)) return;
    const boxes = boxesOf(form);
    if (event.key === "Escape") {
      boxes.forEach((box) => { box.checked = false; });
      count(form);
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = step && boxes[boxes.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    if (event.shiftKey) next.checked = event.target.checked;
    next.focus();
    last = next;
    count(form);
  });

  // A list that came with another filter, or a page that the browser kept, has its own ticks.
  const all = () => document.querySelectorAll("form[data-ticks]").forEach(count);
  document.addEventListener("htmx:after:swap", all);
  window.addEventListener("pageshow", all);
})();
