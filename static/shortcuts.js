/* The keyboard: the palette (Ctrl-K), and keys that lead to pages. Each thing can be reached without it.
   Keys do nothing while somebody types or a dialog is open, and a person can switch them off on the help page. */
(() => {
  "use strict";
  const OFF = "shortcuts-off";
  const BETWEEN_MS = 1500; // between the two keys of "g f"
  const palette = document.getElementById("palette");
  const field = document.getElementById("palette-q");
  const keys = JSON.parse(document.body.dataset.keys || "{}");
  const remembered = () => { try { return localStorage.getItem(OFF); } catch { return null; } };

  const openPalette = () => {
    if (palette.open) return;
    palette.showModal();
    field.value = "";
    field.form.dispatchEvent(new Event("palette"));
  };
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-palette]");
    if (!opener || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    openPalette();
  });
  palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });

  // The arrows go from the field through what was found and back; Enter in the field takes the first.
  palette.addEventListener("keydown", (event) => {
    const found = [...palette.querySelectorAll("#palette-found :is(a, button)")];
    if (!found.length) return;
    const here = found.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = here + (event.key === "ArrowDown" ? 1 : -1);
      if (next === -1) field.focus();
      else found[next < -1 ? found.length - 1 : next % found.length].focus();
    } else if (event.key === "Enter" && document.activeElement === field) {
      event.preventDefault();
      if (!palette.querySelector(".htmx-request")) found[0].click();
    }
  });

  const isTyping = (target) =>
    target.isContentEditable || target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select") || document.querySelector("dialog[open]");
  const upload = () => {
    const file = document.getElementById("file");
    if (file) file.click(); else location.href = "/#file";
  };
  const search = () => {
    const box = document.querySelector("main input[type=search]");
    if (!box) return openPalette();
    box.focus();
    box.select();
  };
  const own = { "/": search, u: upload, "?": () => { location.href = document.body.dataset.help; } };
  let first = "";
  let firstAt = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || remembered() || isTyping(event.target)) return;
    const pair = first && event.timeStamp - firstAt < BETWEEN_MS ? `${first} ${event.key}` : "";
    first = "";
    if (keys[pair]) {
      event.preventDefault();
      location.href = keys[pair];
    } else if (own[event.key]) {
      event.preventDefault();
      own[event.key]();
    } else if (event.key === "g") {
      first = "g";
      firstAt = event.timeStamp;
    }
  });

  const showSwitch = () => {
    document.querySelectorAll("[data-shortcut-switch]").forEach((box) => { box.checked = !remembered(); box.closest("[hidden]")?.removeAttribute("hidden"); });
  };
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-shortcut-switch]")) return;
    try { event.target.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"); } catch { /* it stays as it was */ }
  });
  showSwitch();
})();
