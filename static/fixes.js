/* Typing over the cells that are no numbers (a form with data-fixes): Enter saves the one cell and goes to the next.
   The form works without this file: there Enter sends all cells at once. */
(() => {
  "use strict";

  const GOES_ON = "#start-bar button, #fix-bar button"; // what comes after the last cell

  const replace = (page, selector) => {
    const old = document.querySelector(selector);
    const fresh = page.querySelector(selector);
    if (!old || !fresh) return;
    old.replaceWith(document.adoptNode(fresh));
    window.htmx?.process?.(document.querySelector(selector));
  };

  const save = async (form, input) => {
    const data = new FormData();
    for (const field of form.querySelectorAll("input[type=hidden]")) data.append(field.name, field.value);
    data.append(input.name, input.value);
    input.setAttribute("aria-busy", "true");
    input.dataset.sent = input.value;
    try {
      const answer = await fetch(form.action, { method: "POST", body: data, headers: { "HX-Request": "true" } });
      if (answer.status !== 200 && answer.status !== 422) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (input.value !== input.dataset.sent) return; // typed on meanwhile: Enter sends it again
      const row = `#${CSS.escape(input.closest("tr").id)}`;
      const hadFocus = document.activeElement === input;
      replace(page, row);
      if (hadFocus) document.querySelector(`${row} input`)?.focus();
      const isAtStart = document.activeElement?.closest("#start-bar, #fix-bar");
      replace(page, "#figures");
      replace(page, "#start-bar");
      replace(page, "#fix-bar");
      if (isAtStart) document.querySelector(GOES_ON)?.focus();
      for (const title of form.parentElement.querySelectorAll("#fix-title, [data-fix-group] > h3")) replace(page, `#${title.id}`);
    } catch {
      form.requestSubmit(form.querySelector("[data-fix-save]")); // the browser says what is the matter
    } finally {
      input.removeAttribute("aria-busy");
    }
  };

  let queue = Promise.resolve(); // one after the other, so that the counts are those of the last one

  document.addEventListener("keydown", (event) => {
    const input = event.target.closest?.("input[data-fix]");
    if (!input || event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    const form = input.form;
    const inputs = [...form.querySelectorAll("input[data-fix]")];
    const next = inputs[inputs.indexOf(input) + 1];
    if (input.value.trim()) queue = queue.then(() => save(form, input));
    if (next) next.focus();
    // A cell that was refused comes first: whoever presses Enter again would start without it.
    else queue = queue.then(() => (form.querySelector("[aria-invalid=true]") ?? document.querySelector(GOES_ON))?.focus());
  });
})();
