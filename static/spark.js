/* Draws how fast a job goes on, from what this page has seen of it: an svg with data-spark, the count of numbers that are
   ready. Its words stand beside it. */
(() => {
  "use strict";
  const SHOWN_MS = 90000;
  const seen = []; // [moment, count]

  const draw = () => {
    const svg = document.querySelector("[data-spark]");
    if (!svg) return;
    const now = Date.now();
    const count = Number(svg.dataset.spark);
    if (seen.at(-1)?.[1] !== count) seen.push([now, count]);
    while (seen.length > 2 && now - seen[0][0] > SHOWN_MS) seen.shift();
    const rates = seen.slice(1).map(([at, ready], n) => [at, Math.max(0, (ready - seen[n][1]) / Math.max(1, at - seen[n][0]))]);
    if (rates.length < 3) return;
    const [first, span] = [rates[0][0], Math.max(1, rates.at(-1)[0] - rates[0][0])];
    const most = Math.max(...rates.map(([, rate]) => rate)) || 1;
    const points = rates.map(([at, rate]) => `${((at - first) / span) * 100} ${19 - (rate / most) * 18}`);
    svg.firstElementChild.setAttribute("d", `M${points.join("L")}`);
    svg.toggleAttribute("hidden", false);
  };
  document.addEventListener("htmx:after:swap", draw);
  draw();
})();
