/* A word from the browser when what this page shows has ended, for who asked for it by a button and keeps the page
   open. It must not know what the page is about: the button names the element to watch, which gets data-final, and
   carries all its sentences. Each page works without this file: the button stays hidden. */
(() => {
  "use strict";
  const button = document.querySelector("button[data-notify]");
  if (!button || !("Notification" in window)) return;
  const watched = () => document.getElementById(button.dataset.notify);
  const ended = () => watched()?.hasAttribute("data-final");
  const says = (text) => {
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
    const line = says(button.dataset.granted);
    onceEnded(() => {
      line.remove();
      const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
      const body = text(button.dataset.summary);
      try {
        const told = new Notification(text(button.dataset.title), { body, tag: location.pathname, lang: document.documentElement.lang });
        told.addEventListener("click", () => { window.focus(); told.close(); });
      } catch { /* some telephones have the word, but let no page use it */ }
    });
  };

  if (ended() || Notification.permission === "denied") return;
  const place = button.closest("[hidden]") ?? button;
  place.removeAttribute("hidden");
  onceEnded(() => button.isConnected && (place.hidden = true)); // nobody is offered to be told of what has ended
  button.addEventListener("click", async () => {
    const answer = Notification.permission === "granted" ? "granted" : await Notification.requestPermission();
    if (answer === "granted") watch();
    else if (answer === "denied") says(button.dataset.denied);
  });
})();
