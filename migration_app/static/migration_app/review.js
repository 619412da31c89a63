/* The review page: keys for its buttons, dialogs that ask first, steps from difference to difference. No framework. */
"use strict";
(() => {
  const TYPING = "input, textarea, select, [contenteditable]";

  function isTyping(element) {
    return Boolean(element && element.closest && element.closest(TYPING));
  }

  function buttonFor(page, key) {
    return [...page.querySelectorAll("[data-key]")].find((button) => button.dataset.key.split(" ").includes(key));
  }

  function refuse(page, button) {
    const said = page.querySelector("#key-refused");
    if (said) said.textContent = button.dataset.refused || "";
  }

  function open(id) {
    const dialog = document.getElementById(id);
    if (dialog && !dialog.open) dialog.showModal();
  }

  // The next difference after the one that was stepped to last; the first one to begin with.
  function step(page, by) {
    const all = [...page.querySelectorAll("[data-difference]")];
    if (!all.length) return;
    const here = all.findIndex((row) => row.classList.contains("mc-here"));
    const to = all[Math.min(all.length - 1, Math.max(0, here + by))];
    for (const row of all) row.classList.toggle("mc-here", row === to);
    to.scrollIntoView({ block: "center" });
    to.focus({ preventScroll: true });
  }

  // What was read is shown by the page itself; a person who types a reason reloads it by the link.
  function readingDone(page) {
    const isTyped = [...page.querySelectorAll("form input[type=text]")].some((field) => field.value !== field.defaultValue);
    if (page.querySelector("[data-reading-done]") && !isTyped) window.location.reload();
  }

  function listen(page) {
    page.addEventListener("click", (event) => {
      const button = event.target.closest("[data-opens], [data-closes], [data-step]");
      if (!button) return;
      if (button.dataset.opens) open(button.dataset.opens);
      else if (button.dataset.step) step(page, Number(button.dataset.step));
      else button.closest("dialog").close();
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
      const button = buttonFor(page, event.key);
      if (!button) return;
      event.preventDefault();
      if (button.disabled) refuse(page, button);
      else button.click();
    });
    // A decision is sent once: a second press would be about the next thread.
    for (const form of page.querySelectorAll("form[method=post]")) {
      form.addEventListener("submit", (event) => {
        if (form.dataset.sent) event.preventDefault();
        form.dataset.sent = "yes";
      });
    }
    window.addEventListener("pageshow", () => {
      for (const form of page.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    });
    document.addEventListener("htmx:afterSettle", () => readingDone(page));
    const first = page.querySelector("[data-difference]");
    if (first) first.classList.add("mc-here");
  }

  document.addEventListener("DOMContentLoaded", () => {
    const page = document.querySelector("[data-review]");
    if (page) listen(page);
  });
})();
