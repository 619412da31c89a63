/* Copy a block of text that stands on the page. No framework, no inline script, no eval. */
"use strict";
(() => {
  async function copy(button) {
    const block = document.getElementById(button.dataset.copyBlock);
    const label = button.querySelector("[data-label]");
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(block.textContent);
      label.textContent = "Copied";
    } catch {
      // Plain http on another host than localhost: browsers hide the clipboard there.
      const range = document.createRange();
      range.selectNodeContents(block);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      label.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
    }
    window.setTimeout(() => { label.textContent = before; }, 2000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy-block]");
    if (button) copy(button);
  });
})();
