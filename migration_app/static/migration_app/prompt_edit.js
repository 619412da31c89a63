/* Keeps what is typed into a prompt's form in this browser tab until it is saved: a session that ran out, a closed
   page or a crash must not cost it. No framework, no inline script. */
"use strict";
(() => {
  document.addEventListener("DOMContentLoaded", () => {
    const saved = document.querySelector("[data-draft-saved]");
    if (saved) {
      for (const name of Object.keys(window.sessionStorage)) {
        if (name.startsWith(saved.dataset.draftSaved)) window.sessionStorage.removeItem(name);
      }
    }
    const form = document.querySelector("form[data-draft]");
    if (!form) return;
    const key = form.dataset.draft;
    const fields = [...form.querySelectorAll("textarea, input[type=text]")];
    const stored = JSON.stringify(fields.map((field) => field.defaultValue));
    const restored = document.querySelector("[data-restored]");
    let sending = false;

    const now = () => JSON.stringify(fields.map((field) => field.value));

    function keep() {
      try {
        window.sessionStorage.setItem(key, now());
      } catch {
        // No room or no permission: the warning on leaving the page remains.
      }
    }

    function forget() {
      window.sessionStorage.removeItem(key);
    }

    const kept = window.sessionStorage.getItem(key);
    if (kept && kept !== stored && form.dataset.filled === "stored") {
      JSON.parse(kept).forEach((value, index) => { fields[index].value = value; });
      restored.hidden = false;
    }
    restored.querySelector("[data-discard]").addEventListener("click", () => {
      fields.forEach((field) => { field.value = field.defaultValue; });
      forget();
      restored.hidden = true;
    });

    let waiting = 0;
    form.addEventListener("input", () => {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(keep, 300);
    });
    window.addEventListener("pagehide", () => { if (!sending && now() !== stored) keep(); });
    form.addEventListener("submit", () => { keep(); sending = true; });
    window.addEventListener("pageshow", () => { sending = false; });
    window.addEventListener("beforeunload", (event) => {
      if (!sending && now() !== stored) event.preventDefault();
    });
  });
})();
