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
  };

  const watch = () => {
    says(button.dataset.granted);
    const observer = new MutationObserver(() => {
      if (!ended()) return;
      observer.disconnect();
      const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
      const body = text(button.dataset.summary);
      try {
        const told = new Notification(text(button.dataset.title), { body, tag: location.pathname, lang: document.documentElement.lang });
        told.addEventListener("click", () => { window.focus(); told.close(); });
      } catch { /* some telephones have the word, but let no page use it */ }
    });
    observer.observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-final"] });
  };

  if (ended() || Notification.permission === "denied") return;
  button.closest("[hidden]")?.removeAttribute("hidden");
  button.addEventListener("click", async () => {
    const answer = Notification.permission === "granted" ? "granted" : await Notification.requestPermission();
    if (answer === "granted") watch();
    else if (answer === "denied") says(button.dataset.denied);
  });
})();
