/* Keeps an open page up to date: slows polling down where that is kinder, and updates relative times. Each page works
   without this file. It must not know what any page is about. */
(() => {
  "use strict";
  const root = document.documentElement;

  // Elements with data-poll and an id poll every few seconds by htmx. A hidden page polls less often, and so does a page
  // of a slow server.
  const HIDDEN_MS = 15000;
  const SLOWNESS = 10; // wait ten times as long as the last answer took
  const lastPoll = new Map(); // by the element's id: when it last polled, and how long the answer took
  const source = (event) => event.detail?.ctx?.sourceElement ?? event.target;
  const polls = (event) => source(event)?.matches?.("[data-poll]");

  document.addEventListener("htmx:before:request", (event) => {
    if (!polls(event)) return;
    const { at = -HIDDEN_MS, tookMs = 0 } = lastPoll.get(source(event).id) ?? {};
    const since = performance.now() - at;
    if (since < Math.min(HIDDEN_MS, tookMs * SLOWNESS) || (document.hidden && since < HIDDEN_MS)) {
      event.preventDefault();
      return;
    }
    lastPoll.set(source(event).id, { at: performance.now(), tookMs });
  });
  document.addEventListener("htmx:before:response", (event) => {
    if (!polls(event)) return;
    const poll = lastPoll.get(source(event).id);
    if (poll) poll.tookMs = performance.now() - poll.at;
    if (event.detail.ctx.response.status < 500) root.removeAttribute("data-offline"); // 204 "unchanged" is an answer too
  });

  // Gone, or not for this person: stop polling. Server or connection down: show it until an answer comes.
  document.addEventListener("htmx:response:error", (event) => {
    if (!polls(event)) return;
    const status = event.detail.ctx.response.status;
    if (status === 404 || status === 403) source(event).remove();
    else if (status >= 500) root.toggleAttribute("data-offline", true);
  });
  document.addEventListener("htmx:error", (event) => { if (polls(event)) root.toggleAttribute("data-offline", true); });

  // <time datetime data-relative>: "4 seconds ago", "in 3 minutes", in the page's language, every second.
  const relative = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "always" });
  const now = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "auto" }).format(0, "second"); // not "in 0 seconds"
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
      const text = seconds ? relative.format(Math.trunc(seconds / size), unit) : now;
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tick, 1000);
})();
