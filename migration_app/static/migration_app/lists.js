/* Lists: their dialogs; for all pages, the browser's time zone and icons that readers pass over. */
"use strict";
(() => {
  const DAYS = 24 * 60 * 60;

  // The server shows moments in this zone (migration_app/moments.py) from the next page on.
  function keepZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone) return;
    const secure = window.location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `zone=${zone}; path=/; max-age=${365 * DAYS}; SameSite=Lax${secure}`;
  }

  // An icon is a word in a font of icons: "forum" is no part of the link's name.
  function hideIcons(place) {
    for (const icon of place.querySelectorAll(".material-symbols-outlined:not([aria-hidden])")) {
      icon.setAttribute("aria-hidden", "true");
    }
    // Django's pickers of several: a name is allowed to what has a role.
    for (const tip of place.querySelectorAll("span.help-tooltip[aria-label]")) tip.setAttribute("role", "img");
  }

  async function fetchInto(dialog) {
    const place = dialog.querySelector("[data-fetched]");
    const url = dialog.dataset.fetch;
    if (!place || !url) return;
    dialog.removeAttribute("data-fetch");
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(String(answer.status));
      place.innerHTML = await answer.text();
      const first = place.querySelector("select, input:not([type=hidden])");
      if (first) first.focus();
    } catch {
      dialog.dataset.fetch = url;
      place.textContent = "The console does not answer. Close this and try again.";
    }
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialog);
      dialog.showModal();
      fetchInto(dialog);
      return;
    }
    const closer = event.target.closest("dialog [data-close]");
    if (closer) closer.closest("dialog").close();
    // A click beside the dialog is one on its backdrop, which is the dialog itself.
    else if (event.target instanceof HTMLDialogElement) event.target.close();
  });

  // "/" leads to the search, as in many consoles; not while somebody types.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select, [contenteditable]")) return;
    const search = document.getElementById("searchbar");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  });

  // Empty filters would make addresses long that people send to each other.
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "filter-form") return;
    for (const field of event.target.querySelectorAll("select, input")) if (!field.value) field.disabled = true;
  });

  keepZone();
  document.addEventListener("DOMContentLoaded", () => {
    hideIcons(document);
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const node of change.addedNodes) if (node instanceof Element) hideIcons(node);
      }
    }).observe(document.body, { childList: true, subtree: true });
  });
})();
