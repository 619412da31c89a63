/* Live progress, copy buttons, and the size check of an upload. No framework, no inline script, no eval. */
"use strict";
(() => {
  const SECONDS = 1000;

  function poll(box) {
    let wait = 2 * SECONDS;
    const failing = box.querySelector("[data-offline]");

    async function turn() {
      if (document.hidden) {
        window.setTimeout(turn, wait);
        return;
      }
      try {
        const answer = await fetch(box.dataset.progressUrl, { headers: { Accept: "application/json" } });
        if (answer.redirected || answer.status === 403) {
          refresh(); // signed out, or no longer allowed
          return;
        }
        if (!answer.ok) throw new Error(String(answer.status));
        show(box, await answer.json());
        wait = 2 * SECONDS;
        if (failing) failing.hidden = true;
      } catch {
        wait = Math.min(wait * 2, 30 * SECONDS);
        if (failing) failing.hidden = false;
      }
      if (box.dataset.open === "true") window.setTimeout(turn, wait);
    }

    window.setTimeout(turn, wait);
  }

  // By GET: a page that shows a form again after an error was the answer to a POST, which must not be sent twice.
  function refresh() {
    const path = window.location.pathname.replace(/\/(act\/\w+|cancel)\/$/, "/change/");
    window.location.replace(path + window.location.search);
  }

  function show(box, state) {
    const bar = box.querySelector("progress");
    if (bar) {
      bar.value = state.percent;
      bar.setAttribute("aria-valuetext", `${state.percent}%`);
    }
    for (const place of box.querySelectorAll("[data-percent]")) place.textContent = `${state.percent}%`;
    for (const place of box.querySelectorAll("[data-text]")) place.textContent = state.text;
    for (const place of document.querySelectorAll(`[data-counts-of="${box.dataset.progressUrl}"] [data-count]`)) {
      const count = state.counts[place.dataset.count] || 0;
      place.textContent = Number(count).toLocaleString("en");
    }
    if (!state.open && box.dataset.open === "true") {
      box.dataset.open = "false";
      refresh(); // the finished page tells more than the counts
    }
  }

  async function copy(button) {
    const text = button.dataset.copy || button.parentElement.querySelector("bdi[title]").title;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Plain http on another host than localhost: browsers hide the clipboard there.
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    const label = button.textContent;
    button.textContent = "copied";
    window.setTimeout(() => { button.textContent = label; }, 1500);
  }

  function guardUpload(form) {
    const file = form.querySelector("input[type=file]");
    const error = form.querySelector("[data-too-large]");
    const button = form.querySelector("[type=submit]");
    const largest = Number(form.dataset.maxBytes);

    file.hasChangeListener = true; // django-unfold's own listener expects its own markup and fails here

    function tooLarge() {
      const large = Boolean(file.files.length) && file.files[0].size > largest;
      error.hidden = !large;
      return large;
    }

    file.addEventListener("change", tooLarge);
    form.addEventListener("submit", (event) => {
      if (tooLarge()) {
        event.preventDefault();
        return;
      }
      button.disabled = true;
      button.textContent = "Uploading …";
    });
    window.addEventListener("pageshow", () => { button.disabled = false; });
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll('[data-progress-url][data-open="true"]')) poll(box);
    for (const form of document.querySelectorAll("form[data-max-bytes]")) guardUpload(form);
    for (const select of document.querySelectorAll("select[data-policy]")) {
      select.addEventListener("change", () => {
        const text = document.querySelector(`[data-text-of="${select.id}"]`);
        text.textContent = select.selectedOptions[0].dataset.text;
      });
    }
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-copy]");
      if (button) copy(button);
    });
  });
})();
