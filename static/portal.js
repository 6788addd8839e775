/* Small comforts for every page. Each page works without this file. It must not know what any page is about. */
(() => {
  "use strict";

  // A menu closes with Escape, and when something outside it is pressed.
  const closeMenus = (except) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (menu !== except) menu.open = false;
    });
  };
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest("details.menu[open]");
    closeMenus();
    menu?.querySelector("summary").focus();
  });

  // <button data-opens="id"> shows that dialog; <button data-closes> inside it closes it.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  });

  // <input type="checkbox" data-reveals="id"> in a hidden label shows the password in that field, until the form is sent.
  const reveal = (box, shown) => {
    box.checked = shown;
    document.getElementById(box.dataset.reveals).type = shown ? "text" : "password";
  };
  document.querySelectorAll("[data-reveals]").forEach((box) => { box.closest("label").hidden = false; });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-reveals]")) reveal(event.target, event.target.checked);
  });
  document.addEventListener("submit", (event) => event.target.querySelectorAll("[data-reveals]").forEach((box) => reveal(box, false)));

  // <button hidden data-copies="id"> copies the value of that field, and says so.
  document.querySelectorAll("[data-copies]").forEach((button) => { button.hidden = false; });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copies);
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); } // not on http
    button.textContent = button.dataset.copied;
  });

  // A form is sent once: a second press while the answer is on its way does nothing. htmx and upload.js send their own.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("data-again")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
    });
  });

  // What had the focus is gone after a swap, or it was disabled while its request was on its way, and the focus has fallen
  // to the page. Then it goes to the nearest part around it that is still there: data-refocus names what may take it.
  let focused = null;
  let around = []; // the ids of what had the focus and of all that is around it
  let lost = false;
  document.addEventListener("focusin", (event) => {
    focused = event.target;
    lost = false;
    around = [];
    for (let node = focused.closest("[id]"); node; node = node.parentElement?.closest("[id]")) around.push(node.id);
  });
  const isLost = () => !document.activeElement || document.activeElement === document.body;
  document.addEventListener("htmx:before:request", (event) => {
    if (isLost() && focused && event.target.contains?.(focused)) lost = true;
  });
  const refocus = () => {
    if (!isLost() || !focused || (focused.isConnected && !lost)) return;
    for (const id of around) {
      const part = document.getElementById(id);
      const itself = part?.matches("a, button, input, select, textarea, summary") && part;
      const heir = itself || (part?.dataset.refocus && part.querySelector(part.dataset.refocus));
      if (heir?.disabled) return; // its request is still on its way
      if (!heir) continue;
      heir.focus({ preventScroll: true });
      if (!isLost()) return; // what is folded away takes none
    }
  };
  document.addEventListener("htmx:after:swap", refocus);
  document.addEventListener("htmx:finally:request", () => setTimeout(refocus)); // htmx has enabled the button by then

  // Connection lost: one message, removed by the next answer.
  const toasts = () => document.getElementById("toasts");
  document.addEventListener("htmx:error", (event) => {
    if (event.detail?.ctx?.response || toasts()?.querySelector("[data-offline]")) return;
    const message = document.querySelector("template[data-offline-toast]");
    if (message) toasts().append(message.content.cloneNode(true));
  });
  document.addEventListener("htmx:after:request", (event) => {
    if (event.detail?.ctx?.response) toasts()?.querySelector("[data-offline]")?.remove();
  });

  // Other messages disappear after a while unless the pointer is on them; errors stay until clicked.
  const STAYS_MS = 8000;
  new MutationObserver((changes) => {
    for (const added of changes.flatMap((change) => [...change.addedNodes])) {
      if (!added.classList?.contains("toast") || added.dataset.kind === "bad" || "offline" in added.dataset) continue;
      const leave = () => (added.matches(":hover") ? setTimeout(leave, STAYS_MS) : added.remove());
      setTimeout(leave, STAYS_MS);
    }
  }).observe(toasts(), { childList: true });
  toasts().addEventListener("click", (event) => {
    if (!event.target.closest("a, button")) event.target.closest(".toast")?.remove();
  });
})();
