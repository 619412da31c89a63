/* Live parts of pages (admin/base/live.py): asks for an element again, by htmx, and says so when no answer comes. */
"use strict";
(() => {
  const SECOND = 1000;
  const SLOWEST = 15;
  const PRESS = 600;

  const parts = new Map(); // by id of the element: when it was updated, how often in a row that failed, what was open
  let pressedUntil = 0;

  // --- when to ask ------------------------------------------------------------------------------

  function follow(box) {
    const before = parts.get(box.id);
    const part = { updated: new Date(), failures: 0, timer: 0 };
    parts.set(box.id, part);
    if (before) putBack(box, before);
    box.prepend(noteOf(box));
    if (box.dataset.live === "open") askIn(box, Number(box.dataset.seconds));
  }

  function askIn(box, seconds) {
    const part = parts.get(box.id);
    window.clearTimeout(part.timer);
    part.timer = window.setTimeout(() => ask(box), seconds * SECOND);
  }

  function ask(box) {
    if (!box.isConnected || document.hidden) return; // a hidden tab continues when it is shown
    const reason = held(box);
    if (reason) {
      if (late(box)) say(box, reason, "mc-paused");
      askIn(box, 1);
      return;
    }
    window.htmx.trigger(box, "live");
  }

  function shown() {
    if (document.hidden) return;
    for (const box of document.querySelectorAll('[data-live="open"]')) {
      if (!parts.has(box.id)) continue;
      if (late(box)) say(box, "The page was in the background.");
      ask(box);
    }
  }

  function late(box) {
    return Date.now() - parts.get(box.id).updated.getTime() > 2 * Number(box.dataset.seconds) * SECOND;
  }

  // Nobody loses what they are typing, selecting or clicking. Empty: nothing is in the way.
  function held(box) {
    if (Date.now() < pressedUntil) return "A button is pressed.";
    if (box.querySelector("[aria-invalid=true]")) return "It continues when the form here is corrected or left.";
    const fields = box.querySelectorAll("input:not([type=hidden]), textarea, select");
    if ([...fields].some(isChanged)) return "It continues when the form here is sent or emptied.";
    const selection = window.getSelection();
    if (selection && !selection.isCollapsed && box.contains(selection.anchorNode)) {
      return "It continues when no text is selected.";
    }
    return box.querySelector("dialog[open]") ? "It continues when the dialog is closed." : "";
  }

  function isChanged(field) {
    if (field === document.activeElement && field.tagName !== "SELECT" && field.type !== "checkbox") return true;
    if (field.tagName === "SELECT") return [...field.options].some((one) => one.selected !== one.defaultSelected);
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    return field.value !== field.defaultValue;
  }

  // --- what comes back --------------------------------------------------------------------------

  function beforeSwap(event) {
    const box = event.target;
    if (!isLive(box)) return;
    const { xhr } = event.detail;
    if (xhr.status === 200 && !xhr.responseText.includes(`id="${box.id}"`)) {
      event.detail.shouldSwap = false; // the page to sign in, or another that has no such part
      failed(box, "You are signed out, or the page has moved.");
    } else if (xhr.status === 200 && held(box)) {
      event.detail.shouldSwap = false;
      askIn(box, 1);
    } else if (xhr.status === 200) {
      keep(box);
    }
  }

  function afterRequest(event) {
    const box = event.target;
    if (!isLive(box) || event.detail.successful) return;
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (status === 403 || status === 404) failed(box, "You may no longer see it, or it is gone.");
    else failed(box, "The console does not answer.");
  }

  function failed(box, reason) {
    const part = parts.get(box.id);
    part.failures += 1;
    say(box, reason);
    askIn(box, Math.min(SLOWEST, Number(box.dataset.seconds) * 2 ** (part.failures - 1)));
  }

  function isLive(box) {
    return box instanceof HTMLElement && box.dataset.live !== undefined && parts.has(box.id);
  }

  // --- what people see of it --------------------------------------------------------------------

  function noteOf(box) {
    const note = document.createElement("div");
    note.className = "mc-live-note";
    note.setAttribute("role", "status");
    note.dataset.liveNote = box.id;
    return note;
  }

  function say(box, reason, kind = "mc-stale") {
    const note = box.querySelector("[data-live-note]");
    const at = parts.get(box.id).updated.toLocaleTimeString("en-GB");
    const text = `Not updated since ${at}. ${reason}`;
    if (note.dataset.text === text) return;
    note.dataset.text = text;
    const link = document.createElement("a");
    link.href = window.location.pathname.replace(/\/(act\/\w+|cancel)\/$/, "/change/") + window.location.search;
    link.textContent = "Load the page again";
    link.className = "mc-link";
    note.replaceChildren(`${text} `, link);
    box.classList.remove("mc-stale", "mc-paused");
    box.classList.add(kind);
  }

  function keep(box) {
    const part = parts.get(box.id);
    part.details = [...box.querySelectorAll("details[id]")].map((one) => [one.id, one.open]);
    part.scrolled = [...box.querySelectorAll("[id]")].filter((one) => one.scrollLeft || one.scrollTop)
      .map((one) => [one.id, one.scrollLeft, one.scrollTop]);
    part.focused = box.contains(document.activeElement) ? nameOf(document.activeElement) : "";
  }

  function putBack(box, { details = [], scrolled = [], focused = "" }) {
    for (const [id, open] of details) {
      const one = document.getElementById(id);
      if (one) one.open = open;
    }
    for (const [id, left, top] of scrolled) {
      const one = document.getElementById(id);
      if (one) one.scrollTo(left, top);
    }
    if (!focused) return;
    const places = box.querySelectorAll("a, button, summary, input, select, textarea, [tabindex]");
    const place = [...places].find((one) => nameOf(one) === focused);
    if (place) place.focus({ preventScroll: true });
  }

  // What has no id is known by where it leads and what it says.
  function nameOf(one) {
    const action = one.form ? one.form.getAttribute("action") : "";
    return one.id || [one.tagName, one.getAttribute("href"), action, one.name, one.textContent.trim()].join("|");
  }

  // --- start ------------------------------------------------------------------------------------

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.htmx) return;
    for (const box of document.querySelectorAll("[data-live]")) follow(box);
    document.body.addEventListener("htmx:load", (event) => {
      if (event.target.dataset && event.target.dataset.live !== undefined) follow(event.target);
    });
    document.body.addEventListener("htmx:beforeSwap", beforeSwap);
    document.body.addEventListener("htmx:afterRequest", afterRequest);
  });
  document.addEventListener("visibilitychange", shown);
  window.addEventListener("pageshow", (event) => { if (event.persisted) shown(); });
  document.addEventListener("pointerdown", () => { pressedUntil = Date.now() + 10 * PRESS; });
  document.addEventListener("pointerup", () => { pressedUntil = Date.now() + PRESS; });
  document.addEventListener("pointercancel", () => { pressedUntil = 0; });
})();
