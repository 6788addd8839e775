/* The upload form: chosen or dropped files are sent at once, one after the other, each with its own progress and error in
   place. Files may be dropped anywhere on any page: where the form is not on the page, it opens in a dialog. Without
   this file the form is a plain one and works.

   <form data-upload data-several data-max-bytes data-text-…> with input[type=file], [data-drop], [data-files] (the list of
   files), template (a line of it), output (only heard), [data-errors]. The texts are written by the server in the
   person's language; {percent} stands for the figure. */
(() => {
  "use strict";
  const ANNOUNCED_EVERY = 25; // percent: a screen reader that announces every step is no help
  const MOST = 50;

  function bind(form) {
    const input = form.querySelector("input[type=file]");
    const zone = form.querySelector("[data-drop]");
    const list = form.querySelector("[data-files]"); // only seen, but for the names of its bars
    const status = form.querySelector("output"); // only heard
    const errors = form.querySelector("[data-errors]");
    const texts = form.dataset;
    let sending = false;
    let announced = 0;

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
    function nodesOf(html) {
      const holder = document.createElement("template");
      holder.innerHTML = html;
      const message = holder.content.querySelector("hx-partial .toast");
      if (message) return [text([...message.children].map((part) => part.textContent.trim()).join(". "))];
      if (holder.content.textContent.trim()) return [...holder.content.childNodes];
      return [text(texts.textFailed)];
    }

    const size = (bytes) => {
      const unit = bytes < 1e6 ? "kilobyte" : "megabyte";
      const amount = Math.max(bytes / (unit === "kilobyte" ? 1e3 : 1e6), 0.1);
      const style = { style: "unit", unit, maximumFractionDigits: amount < 10 ? 1 : 0 };
      return new Intl.NumberFormat(document.documentElement.lang, style).format(amount);
    };

    function rest() {
      sending = false;
      form.removeAttribute("aria-busy");
      status.textContent = "";
      input.value = ""; // so that the same file, once corrected, is a change again
    }

    function line(file) {
      const made = form.querySelector("template").content.firstElementChild.cloneNode(true);
      made.firstElementChild.textContent = `${file.name} · ${size(file.size)}`;
      const bar = made.querySelector("progress");
      bar.setAttribute("aria-label", file.name);
      made.lastElementChild.textContent = texts.textWaiting;
      list.append(made);
      return { made, bar, say: (what) => { made.lastElementChild.textContent = what; } };
    }

    // One file. Gives where its check page is, or the nodes that say what is wrong with it.
    const send = (file, { bar, say }, announces) => new Promise((done) => {
      if (texts.maxBytes && file.size > Number(texts.maxBytes)) { done({ wrong: [text(texts.textTooLarge)] }); return; }
      const data = new FormData();
      for (const [name, value] of new FormData(form)) if (name !== input.name) data.append(name, value);
      data.append(input.name, file);
      const request = new XMLHttpRequest();
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        const percent = Math.floor((100 * event.loaded) / event.total);
        const words = texts.textProgress.replace("{percent}", percent);
        bar.value = percent;
        say(words);
        if (announces && (percent >= announced + ANNOUNCED_EVERY || !announced)) {
          announced = Math.max(percent, 1);
          status.textContent = words;
        }
      });
      request.upload.addEventListener("load", () => { say(texts.textStored); if (announces) status.textContent = texts.textStored; });
      request.addEventListener("load", () => {
        const goal = request.getResponseHeader("HX-Redirect");
        const moved = new URL(request.responseURL || form.action).pathname !== new URL(form.action).pathname;
        if (goal || (moved && request.status < 400)) done({ goal: goal || request.responseURL });
        else done({ wrong: nodesOf(request.responseText) });
      });
      request.addEventListener("error", () => done({ wrong: [text(texts.textOffline)] }));
      request.open("POST", form.action);
      request.setRequestHeader("HX-Request", "true");
      request.setRequestHeader("HX-Current-URL", location.href);
      request.send(data);
    });

    async function begin(files) {
      if (!files.length || sending) return;
      show();
      if (files.length > MOST) { show(text(texts.textTooMany)); return; }
      sending = true;
      announced = 0;
      form.setAttribute("aria-busy", "true");
      list.replaceChildren();
      list.hidden = false;
      const lines = files.map(line);
      const goals = [];
      const wrong = [];
      for (const [place, file] of files.entries()) {
        const answer = await send(file, lines[place], files.length === 1);
        if (answer.goal) {
          goals.push(answer.goal);
          if (files.length > 1) { lines[place].say(texts.textReceived); status.textContent = `${goals.length} / ${files.length}`; }
        } else {
          wrong.push({ file, nodes: answer.wrong });
          lines[place].made.remove();
        }
      }
      const ids = goals.map((goal) => /\/documents\/(\d+)$/.exec(new URL(goal, location.href).pathname)?.[1]);
      const next = goals.length === 1 ? goals[0] : ids.every(Boolean) ? `${texts.several}?ids=${ids.join(",")}` : goals.at(-1);
      if (goals.length && !wrong.length) { location.assign(next); return; } // the bars stay until the next page is there
      rest();
      list.hidden = !goals.length;
      const nodes = wrong.flatMap(({ file, nodes: said }) => {
        if (files.length === 1) return said;
        const box = text(`${file.name}: ${said.map((node) => node.textContent.trim()).join(" ").trim()}`);
        return [box];
      });
      if (goals.length) {
        const link = document.createElement("a");
        link.className = "btn";
        link.dataset.kind = "primary";
        link.href = next;
        link.textContent = texts.textGoOn;
        nodes.push(link);
      }
      show(...nodes);
    }

    input.addEventListener("change", () => begin([...input.files]));
    form.addEventListener("submit", (event) => {
      if (!input.files.length) return; // the browser's own message for a required field
      event.preventDefault();
      begin([...input.files]);
    });
    zone.addEventListener("click", (event) => {
      if (!event.target.closest("a, button, input, label") && !sending) input.click();
    });
    // Back from the next page, the browser may show this one as it was left.
    window.addEventListener("pageshow", (event) => { if (event.persisted) { rest(); list.hidden = true; } });
    return { begin, zone };
  }

  const dialog = document.getElementById("drop-dialog");
  const forms = [...document.querySelectorAll("form[data-upload]")];
  const main = forms.find((form) => !form.closest("dialog")) ?? forms[0];
  if (!main) return;
  const upload = bind(main);
  const inDialog = main.closest("dialog");

  // Anywhere on the page: a file that is let go beside the zone would else be opened instead of the portal.
  const isFile = (event) => Boolean(event.dataTransfer?.types.includes("Files"));
  let inside = 0; // dragenter on a child fires before dragleave on its parent, so count them
  const mark = () => {
    upload.zone.toggleAttribute("data-over", inside > 0);
    document.documentElement.toggleAttribute("data-dragging", inside > 0);
  };
  document.addEventListener("dragenter", (event) => { if (isFile(event)) { event.preventDefault(); inside += 1; mark(); } });
  document.addEventListener("dragover", (event) => { if (isFile(event)) event.preventDefault(); });
  document.addEventListener("dragleave", (event) => { if (isFile(event)) { inside = Math.max(0, inside - 1); mark(); } });
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    inside = 0;
    mark();
    const files = [...event.dataTransfer.files];
    if (!files.length) return;
    if (inDialog && !dialog.open) dialog.showModal();
    upload.begin(files);
  });
})();
