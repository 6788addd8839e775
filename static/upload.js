/* The upload form: a chosen or dropped file is sent at once, with its progress and errors in place. A file may be
   dropped anywhere on the page. Without this file the form is a plain one and works.

   <form data-upload data-max-bytes data-text-progress data-text-stored data-text-too-large data-text-one
         data-text-failed data-text-offline> with input[type=file], [data-drop], progress, [data-file], output,
   [data-errors]. The texts are written by the server in the person's language; {percent} stands for the figure. */
(() => {
  "use strict";
  const ANNOUNCED_EVERY = 25; // percent: a screen reader that announces every step is no help

  function bind(form) {
    const input = form.querySelector("input[type=file]");
    const zone = form.querySelector("[data-drop]");
    const bar = form.querySelector("progress");
    const status = form.querySelector("output"); // only heard
    const card = form.querySelector("[data-file]"); // only seen
    const errors = form.querySelector("[data-errors]");
    const texts = form.dataset;
    let request = null;

    form.toggleAttribute("data-scripted", true);
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

    const size = (bytes) => {
      const unit = bytes < 1e6 ? "kilobyte" : "megabyte";
      const amount = Math.max(bytes / (unit === "kilobyte" ? 1e3 : 1e6), 0.1);
      const style = { style: "unit", unit, maximumFractionDigits: amount < 10 ? 1 : 0 };
      return new Intl.NumberFormat(document.documentElement.lang, style).format(amount);
    };
    const say = (what) => { card.lastElementChild.textContent = what; };

    function rest() {
      request = null;
      form.removeAttribute("aria-busy");
      bar.hidden = card.hidden = true;
      status.textContent = "";
      input.value = ""; // so that the same file, once corrected, is a change again
    }

    function send(file) {
      const data = new FormData(form);
      let announced = 0;
      request = new XMLHttpRequest();
      form.setAttribute("aria-busy", "true");
      bar.hidden = card.hidden = false;
      bar.value = 0;
      card.firstElementChild.textContent = `${file.name} · ${size(file.size)}`;
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        const percent = Math.floor((100 * event.loaded) / event.total);
        const words = texts.textProgress.replace("{percent}", percent);
        bar.value = percent;
        say(words);
        if (percent >= announced + ANNOUNCED_EVERY || !announced) {
          announced = Math.max(percent, 1);
          status.textContent = words;
        }
      });
      request.upload.addEventListener("load", () => { say(texts.textStored); status.textContent = texts.textStored; });
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

    function begin() {
      const file = input.files[0];
      if (!file || request) return;
      show();
      if (texts.maxBytes && file.size > Number(texts.maxBytes)) {
        input.value = "";
        show(text(texts.textTooLarge));
      } else send(file);
    }

    input.addEventListener("change", begin);
    form.addEventListener("submit", (event) => {
      if (!input.files.length) return; // the browser's own message for a required field
      event.preventDefault();
      begin();
    });
    zone.addEventListener("click", (event) => {
      if (!event.target.closest("a, button, input, label") && !request) input.click();
    });
    // Back from the next page, the browser may show this one as it was left.
    window.addEventListener("pageshow", (event) => { if (event.persisted) rest(); });

    // Anywhere on the page: a file that is let go beside the zone would else be opened instead of the portal.
    const isFile = (event) => Boolean(event.dataTransfer?.types.includes("Files"));
    let inside = 0; // dragenter on a child fires before dragleave on its parent, so count them
    const mark = () => zone.toggleAttribute("data-over", inside > 0);
    document.addEventListener("dragenter", (event) => { if (isFile(event)) { event.preventDefault(); inside += 1; mark(); } });
    document.addEventListener("dragover", (event) => { if (isFile(event)) event.preventDefault(); });
    document.addEventListener("dragleave", (event) => { if (isFile(event)) { inside = Math.max(0, inside - 1); mark(); } });
    document.addEventListener("drop", (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      inside = 0;
      mark();
      const { files } = event.dataTransfer;
      if (request || !files.length) return;
      if (files.length > 1) { show(text(texts.textOne)); return; }
      input.files = files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  const form = document.querySelector("form[data-upload]");
  if (form) bind(form);
})();
