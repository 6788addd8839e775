/* Keeps an open page up to date: follows the stream of events, polls while there is none, draws the tab's icon, and
   updates relative times. Each page works without this file. It must not know what any page is about. */
(() => {
  "use strict";
  const root = document.documentElement;
  const offline = (is) => root.toggleAttribute("data-offline", is);

  // ── the stream: an element with data-events has its address, where `v` is the version that the page shows ──
  const FIRST_BYTE_MS = 8000; // later, a proxy holds the stream back
  const SILENCE_MS = 25000; // the server sends a sign of life every ten seconds
  const LONGEST_PAUSE_MS = 60000;
  const address = () => (document.hidden ? null : document.querySelector("[data-events]")?.dataset.events ?? null);
  const keyOf = (url) => url.replace(/([?&])v=[^&]*&?/, "$1");
  const over = new Set(); // what the server has no stream for
  let stream = null;
  const LONGEST_ANSWER_MS = 5000;
  let answersDue = 0; // of buttons that were pressed

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const swap = (html) => htmx.swap({ sourceElement: document.body, target: document.body, text: html, swap: "innerHTML swapEmpty:false" });

  // One message: lines "event: name" and "data: html", up to an empty line. Returns what ends the stream, if it does.
  const take = async (message) => {
    const html = [];
    let name = "";
    for (const line of message.split("\n")) {
      if (line.startsWith("data: ")) html.push(line.slice(6));
      else if (line.startsWith("event: ")) name = line.slice(7);
    }
    if (html.length) {
      for (let waited = 0; answersDue && waited < LONGEST_ANSWER_MS; waited += 50) await pause(50);
      answersDue = 0;
      await swap(html.join("\n"));
    }
    return name;
  };

  // One connection, until it ends. Returns "again" when it should be tried anew.
  const connect = async (mine) => {
    const cut = new AbortController();
    mine.cut = () => cut.abort();
    let timer = setTimeout(mine.cut, FIRST_BYTE_MS);
    try {
      const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
      const answer = await fetch(address() ?? mine.key, { headers, signal: cut.signal, cache: "no-store" });
      if (answer.status === 401) {
        location.assign(answer.headers.get("HX-Redirect") ?? "/login");
        return "over";
      }
      if (answer.status === 204 || answer.status === 404) return "over";
      if (answer.status !== 200 || !answer.headers.get("Content-Type")?.startsWith("text/event-stream")) return "failed";
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) return "again";
        clearTimeout(timer);
        timer = setTimeout(mine.cut, SILENCE_MS);
        mine.live = true;
        offline(false);
        const messages = (text + value).split("\n\n");
        text = messages.pop();
        for (const message of messages) {
          const name = await take(message);
          if (name === "end" || name === "gone") return "over";
        }
      }
    } catch {
      return "failed";
    } finally {
      clearTimeout(timer);
      cut.abort();
      mine.live = false;
    }
  };

  const follow = async (mine) => {
    for (let failures = 0; stream === mine; ) {
      const how = await connect(mine);
      if (stream !== mine) return;
      if (how === "over") {
        over.add(mine.key);
        return;
      }
      failures = how === "again" ? 0 : failures + 1;
      await pause(Math.min(LONGEST_PAUSE_MS, 500 * 2 ** failures) * (0.7 + 0.6 * Math.random()));
    }
  };

  // Follow what the page shows now. A new address for the same page is taken up when the stream is connected next.
  const settle = () => {
    const url = address();
    const key = url && keyOf(url);
    if (stream?.key === key) return;
    const before = stream;
    stream = key && !over.has(key) ? { key, live: false, cut: () => {} } : null;
    before?.cut();
    if (stream) follow(stream);
  };
  const leave = () => {
    const before = stream;
    stream = null;
    before?.cut();
  };
  document.addEventListener("visibilitychange", settle);
  document.addEventListener("htmx:after:swap", settle);
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", settle);

  // A button's answer goes before the stream, which has the same news and would take the button away: its message would
  // be lost. A button that starts the job again also starts its stream again.
  const isPost = (event) => event.detail?.ctx?.request?.method === "POST";
  document.addEventListener("htmx:before:request", (event) => {
    if (!isPost(event)) return;
    over.clear();
    answersDue += 1;
  });
  document.addEventListener("htmx:finally:request", (event) => { if (isPost(event)) answersDue = Math.max(0, answersDue - 1); });

  // ── polls: elements with data-poll and an id poll every few seconds by htmx, unless the stream has come through. A
  // hidden page polls less often, and so does a page of a slow server. ──
  const HIDDEN_MS = 5000;
  const SLOWNESS = 10; // wait ten times as long as the last answer took
  const LONGEST_WAIT_MS = 15000;
  const lastPoll = new Map(); // by the element's id: when it last polled, and how long the answer took
  const source = (event) => event.detail?.ctx?.sourceElement ?? event.target;
  const polls = (event) => source(event)?.matches?.("[data-poll]");

  document.addEventListener("htmx:before:request", (event) => {
    if (!polls(event)) return;
    const { at = -LONGEST_WAIT_MS, tookMs = 0 } = lastPoll.get(source(event).id) ?? {};
    const since = performance.now() - at;
    const streamed = stream?.live && source(event).matches("[data-events]");
    if (streamed || since < Math.min(LONGEST_WAIT_MS, tookMs * SLOWNESS) || (document.hidden && since < HIDDEN_MS)) {
      event.preventDefault();
      return;
    }
    lastPoll.set(source(event).id, { at: performance.now(), tookMs });
  });
  document.addEventListener("htmx:before:response", (event) => {
    if (!polls(event)) return;
    const poll = lastPoll.get(source(event).id);
    if (poll) poll.tookMs = performance.now() - poll.at;
    if (event.detail.ctx.response.status < 500) offline(false); // 204 "unchanged" is an answer too
  });

  // Gone, or not for this person: stop polling. Server or connection down: show it until an answer comes.
  document.addEventListener("htmx:response:error", (event) => {
    if (!polls(event)) return;
    const status = event.detail.ctx.response.status;
    if (status === 404 || status === 403) source(event).remove();
    else if (status >= 500) offline(true);
  });
  document.addEventListener("htmx:error", (event) => { if (polls(event)) offline(true); });

  // ── the tab's icon: an element with data-tab-icon has the one for the present state ──
  const icon = document.querySelector("link[rel=icon]");
  const usual = icon?.href;
  const draw = () => {
    const href = document.querySelector("[data-tab-icon]")?.dataset.tabIcon ?? usual;
    if (icon && icon.href !== href) icon.href = href;
  };
  document.addEventListener("htmx:after:swap", draw);

  // ── <time datetime data-relative>: "4 seconds ago", "in 3 minutes" (with "until": never ago), in the page's language, every second ──
  const relative = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "always" });
  const now = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "auto" }).format(0, "second"); // not "in 0 seconds"
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const QUIET_MS = 15000;
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const left = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const seconds = time.dataset.relative === "until" ? Math.max(0, left) : left; // what is late is due now
      const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
      const text = seconds ? relative.format(Math.trunc(seconds / size), unit) : now;
      if (time.textContent !== text) time.textContent = text;
    }
    // What is worth a word only once it is a while ago.
    for (const part of document.querySelectorAll("[data-quiet]")) part.hidden = Date.now() - Date.parse(part.dataset.quiet) < QUIET_MS;
  };
  setInterval(tick, 1000);
})();
