/* The upload form: drop zone, progress, errors in place. Without this file the form is a plain one and works.

   <form data-upload data-max-bytes data-text-progress data-text-stored data-text-too-large data-text-failed
         data-text-offline> with input[type=file], [data-drop], progress, output, [data-errors].
   The texts are written by the server in the person's language; {percent} stands for the figure. */
(() => {
  "use strict";
  const ANNOUNCED_EVERY = 25; // percent: a screen reader that announces every step is no help

  function bind(form) {
    const input = form.querySelector("input[type=file]");
    const zone = form.querySelector("[data-drop]");
    const bar = form.querySelector("progress");
    const status = form.querySelector("output");
    const errors = form.querySelector("[data-errors]");
    const texts = form.dataset;
    let request = null;

    const say = (text) => { if (status) status.textContent = text; };
    const text = (message) => {
      const box = document.createElement("div");
      box.className = "alert";
      box.dataset.kind = "bad";
      box.textContent = message;
      return box;
    };

    function show(...nodes) {
      errors.replaceChildren(...nodes);
      if (!nodes.length) return;
      if (!errors.querySelector("[role=alert]")) errors.setAttribute("role", "alert");
      errors.tabIndex = -1;
      errors.focus();
    }

    // What the server says in HTML: the form's own errors, or the message that it has for htmx.
    function showAnswer(html) {
      const holder = document.createElement("template");
      holder.innerHTML = html;
      const message = holder.content.querySelector("hx-partial .toast");
      if (message) show(text([...message.children].map((part) => part.textContent.trim()).join(". ")));
      else if (holder.content.textContent.trim()) show(...holder.content.childNodes);
      else show(text(texts.textFailed));
    }

    function rest() {
      request = null;
      form.removeAttribute("aria-busy");
      bar.hidden = true;
      say("");
    }

    function tooLarge() {
      const file = input.files[0];
      return Boolean(file && texts.maxBytes && file.size > Number(texts.maxBytes));
    }

    function send() {
      const data = new FormData(form);
      let announced = 0;
      request = new XMLHttpRequest();
      form.setAttribute("aria-busy", "true");
      bar.hidden = false;
      bar.value = 0;
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        const percent = Math.floor((100 * event.loaded) / event.total);
        bar.value = percent;
        if (percent >= announced + ANNOUNCED_EVERY || !announced) {
          announced = Math.max(percent, 1);
          say(texts.textProgress.replace("{percent}", percent));
        }
      });
      request.upload.addEventListener("load", () => say(texts.textStored));
      request.addEventListener("load", () => {
        const answer = request;
        const goal = answer.getResponseHeader("HX-Redirect");
        const moved = new URL(answer.responseURL || form.action).pathname !== new URL(form.action).pathname;
        if (goal || (moved && answer.status < 400)) {
          location.assign(goal || answer.responseURL);
          return; // the bar stays until the next page is there
        }
        rest();
        showAnswer(answer.responseText);
      });
      request.addEventListener("error", () => { rest(); show(text(texts.textOffline)); });
      request.open("POST", form.action);
      request.setRequestHeader("HX-Request", "true");
      request.setRequestHeader("HX-Current-URL", location.href);
      request.send(data);
    }

    input.addEventListener("change", () => { show(); if (tooLarge()) show(text(texts.textTooLarge)); });
    form.addEventListener("submit", (event) => {
      if (!input.files.length) return; // the browser's own message for a required field
      event.preventDefault();
      if (request) return;
      if (tooLarge()) show(text(texts.textTooLarge));
      else { show(); send(); }
    });

    if (!zone) return;
    let inside = 0; // dragenter on a child fires before dragleave on its parent, so count them
    const mark = () => zone.toggleAttribute("data-over", inside > 0);
    zone.addEventListener("dragenter", (event) => { event.preventDefault(); inside += 1; mark(); });
    zone.addEventListener("dragover", (event) => event.preventDefault());
    zone.addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); mark(); });
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      inside = 0;
      mark();
      if (!event.dataTransfer.files.length) return;
      const one = new DataTransfer(); // the form takes one file, however many were dropped
      one.items.add(event.dataTransfer.files[0]);
      input.files = one.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  document.querySelectorAll("form[data-upload]").forEach(bind);
})();
