/* Keeps an open page fresh without a word of its own: it slows the asking down where that is kinder, and lets times
   tick. Each page works without this file. It must not know what any page is about. */
(() => {
  "use strict";
  const root = document.documentElement;

  // What carries data-poll asks every two seconds by htmx. A hidden page asks seldom, a slow server is asked less.
  const HIDDEN_MS = 15000;
  const SLOWNESS = 10; // wait ten times as long as the last answer took
  let askedAt = 0;
  let tookMs = 0;
  const polls = (event) => (event.detail?.ctx?.sourceElement ?? event.target)?.matches?.("[data-poll]");

  document.addEventListener("htmx:before:request", (event) => {
    if (!polls(event)) return;
    const since = performance.now() - askedAt;
    if (since < Math.min(HIDDEN_MS, tookMs * SLOWNESS) || (document.hidden && since < HIDDEN_MS)) {
      event.preventDefault();
      return;
    }
    askedAt = performance.now();
  });
  document.addEventListener("htmx:before:response", (event) => {
    if (!polls(event)) return;
    tookMs = performance.now() - askedAt;
    if (event.detail.ctx.response.status < 500) root.removeAttribute("data-offline"); // "unchanged" is an answer too
  });

  // Not there any more, or not for this reader: the page stops asking. Away: it says so until an answer comes.
  document.addEventListener("htmx:response:error", (event) => {
    if (!polls(event)) return;
    const status = event.detail.ctx.response.status;
    if (status === 404 || status === 403) (event.detail.ctx.sourceElement ?? event.target).remove();
    else if (status >= 500) root.toggleAttribute("data-offline", true);
  });
  document.addEventListener("htmx:error", (event) => { if (polls(event)) root.toggleAttribute("data-offline", true); });

  // <time datetime data-relative>: "4 seconds ago", "in 3 minutes", in the page's language, every second.
  const relative = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "always" });
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
      const text = relative.format(Math.trunc(seconds / size), unit);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tick, 1000);
})();
