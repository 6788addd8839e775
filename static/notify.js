/* A browser notification when what the page shows has finished, for people who press the button and keep the page open.
   It must not know what the page is about: the button names the element to watch, which gets data-final, and carries
   all its texts. Each page works without this file: the button stays hidden. */
(() => {
  "use strict";
  const button = document.querySelector("button[data-notify]");
  if (!button || !("Notification" in window)) return;
  const watched = () => document.getElementById(button.dataset.notify);
  const ended = () => watched()?.hasAttribute("data-final");
  const replaceButton = (text) => {
    const line = document.createElement("span");
    line.className = "muted";
    line.setAttribute("role", "status");
    line.textContent = text;
    button.replaceWith(line);
    return line;
  };
  const onceEnded = (then) => {
    const observer = new MutationObserver(() => {
      if (!ended()) return;
      observer.disconnect();
      then();
    });
    observer.observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-final"] });
  };

  const watch = () => {
    const line = replaceButton(button.dataset.granted);
    onceEnded(() => {
      line.remove();
      const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
      const body = text(button.dataset.summary);
      try {
        const notification = new Notification(text(button.dataset.title), { body, tag: location.pathname, lang: document.documentElement.lang });
        notification.addEventListener("click", () => { window.focus(); notification.close(); });
      } catch { /* some phones define Notification but do not let pages use it */ }
    });
  };

  if (ended() || Notification.permission === "denied") return;
  const place = button.closest("[hidden]") ?? button;
  place.removeAttribute("hidden");
  onceEnded(() => button.isConnected && (place.hidden = true)); // do not offer it once it has finished
  button.addEventListener("click", async () => {
    const answer = Notification.permission === "granted" ? "granted" : await Notification.requestPermission();
    if (answer === "granted") watch();
    else if (answer === "denied") replaceButton(button.dataset.denied);
  });
})();
