/* Keeps what is typed into a form in this browser tab until it has arrived: a session that ended, a refused token, a
   closed page or a crash must not cost it. No framework, no inline script, nothing is sent anywhere.

   Which forms: `form.mc-form` and `form[data-draft]` that are posted and ask for no password. A draft belongs to the
   person who is signed in (`meta[name=console-user]`); signing out deletes all drafts, and so does another person.
   A form that was sent has arrived when the next page is one of the console's that does not say otherwise: the sign-in
   page does, and pages with `data-not-arrived`. A button with `data-keeps-draft` only shows the page again. */
"use strict";
(() => {
  const PREFIX = "console-draft:";
  const SENT = "console-draft-sent";
  const KEPT_HOURS = 12;
  const attached = new WeakSet();
  let sending = false;
  let filling = false;

  const names = () => Object.keys(window.sessionStorage).filter((name) => name.startsWith(PREFIX));
  const user = () => document.querySelector("meta[name=console-user]")?.content || "";

  function forget(name) {
    window.sessionStorage.removeItem(name);
  }

  function read(name) {
    try {
      return JSON.parse(window.sessionStorage.getItem(name));
    } catch {
      return null;
    }
  }

  function write(name, value) {
    try {
      window.sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
      // No room or no permission: then nothing is kept.
    }
  }

  function keyOf(form) {
    const action = form.getAttribute("action");
    return `${PREFIX}${form.dataset.draft || action || window.location.pathname + window.location.search}`;
  }

  function fieldsOf(form) {
    const skipped = ["hidden", "file", "submit", "button", "reset", "password"];
    return [...form.elements].filter((field) => field.name && "value" in field && !skipped.includes(field.type)
      && field.tagName !== "BUTTON");
  }

  const isBox = (field) => field.type === "checkbox" || field.type === "radio";
  const valueOf = (field) => (isBox(field) ? field.checked : field.value);

  function storedOf(field) {
    if (isBox(field)) return field.defaultChecked;
    if (field.tagName !== "SELECT") return field.defaultValue;
    const chosen = [...field.options].find((option) => option.defaultSelected) || field.options[0];
    return chosen ? chosen.value : "";
  }

  // A field by its name and its place among those of the same name.
  function placed(form) {
    const seen = {};
    return fieldsOf(form).map((field) => {
      seen[field.name] = (seen[field.name] || 0) + 1;
      return [`${field.name}#${seen[field.name]}`, field];
    });
  }

  const isChanged = (field) => valueOf(field) !== storedOf(field);

  function keep(form, { whole = false } = {}) {
    const values = placed(form).filter(([, field]) => whole || isChanged(field));
    const file = Boolean(form.querySelector("input[type=file]")?.files.length);
    if (!values.length && !whole) {
      forget(keyOf(form));
      return;
    }
    const fields = Object.fromEntries(values.map(([place, field]) => [place, valueOf(field)]));
    write(keyOf(form), { user: user(), at: Date.now(), fields, file });
  }

  function fill(field, value) {
    if (isBox(field)) field.checked = Boolean(value);
    else if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) field.value = value;
    else return;
    filling = true;
    field.dispatchEvent(new Event("change", { bubbles: true }));
    filling = false;
  }

  function restore(form, { quietly }) {
    const draft = read(keyOf(form));
    if (!draft) return;
    for (const [place, field] of placed(form)) {
      if (place in draft.fields && draft.fields[place] !== valueOf(field)) fill(field, draft.fields[place]);
    }
    if (draft.refused || (!quietly && fieldsOf(form).some(isChanged))) form.prepend(note(form, draft));
    keep(form);
  }

  function note(form, { file, refused }) {
    const box = document.createElement("div");
    box.className = "mc-note mc-note-info";
    box.setAttribute("role", "status");
    const text = document.createElement("div");
    const why = refused
      ? "Your session had ended before this form arrived: nothing was started, decided or changed. Check it, then send it again."
      : "";
    const what = fieldsOf(form).some(isChanged) ? "Your unsaved input was restored." : "";
    text.append(`${[why, what, file ? "Choose the file again." : ""].filter(Boolean).join(" ")} `);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "mc-copy";
    button.textContent = "Discard it";
    button.addEventListener("click", () => {
      for (const field of fieldsOf(form)) fill(field, storedOf(field));
      forget(keyOf(form));
      box.remove();
    });
    text.append(button);
    box.append(text);
    return box;
  }

  // Other policies than those of the figures: whatever was pressed, the page first comes again with new figures.
  function showsAgain(form, button) {
    return Boolean(button && "keepsDraft" in button.dataset)
      || fieldsOf(form).some((field) => "policy" in field.dataset && isChanged(field));
  }

  function attach(form, options) {
    if (attached.has(form) || form.querySelector("input[type=password]")) return;
    attached.add(form);
    restore(form, options);
    let waiting = 0;
    const soon = () => {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(() => keep(form), 300);
    };
    for (const kind of ["input", "change"]) {
      document.addEventListener(kind, (event) => { if (!filling && event.target.form === form) soon(); });
    }
    form.addEventListener("submit", (event) => {
      window.clearTimeout(waiting);
      if (event.defaultPrevented) return;
      keep(form, { whole: true });
      if (!showsAgain(form, event.submitter)) write(SENT, keyOf(form));
      sending = true;
    });
    window.addEventListener("pagehide", () => { if (!sending && fieldsOf(form).some(isChanged)) keep(form); });
    if ("warn" in form.dataset) {
      window.addEventListener("beforeunload", (event) => {
        if (!sending && fieldsOf(form).some(isChanged)) event.preventDefault();
      });
    }
  }

  function attachAll(root, options = {}) {
    for (const form of root.querySelectorAll("form.mc-form[method=post], form[data-draft]")) attach(form, options);
  }

  // Its page says so when it comes again, also where nothing was typed.
  function markRefused(name) {
    const draft = read(name);
    if (draft) write(name, { ...draft, refused: true });
  }

  // What was sent from this tab before this page came: it has arrived, unless this page says otherwise.
  function settle() {
    const sent = read(SENT);
    forget(SENT);
    if (!sent) return;
    if (document.getElementById("session-ended")) markRefused(sent);
    else if (!document.querySelector("#login-form, [data-not-arrived]")) forget(sent);
  }

  function tidy() {
    const me = user();
    for (const name of names()) {
      const draft = read(name);
      const isOld = !draft || Date.now() - draft.at > KEPT_HOURS * 3_600_000;
      if (isOld || (me && draft.user !== me)) forget(name);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    tidy();
    settle();
    attachAll(document);
    document.getElementById("logout-form")?.addEventListener("submit", () => names().forEach(forget));
    // A part of the page that was replaced while somebody typed: nobody needs to be told.
    document.body.addEventListener("htmx:load", (event) => attachAll(event.target, { quietly: true }));
  });
  window.addEventListener("pageshow", () => { sending = false; });
})();
