// Copies what is beside a button, and puts the focus on the result of what was done. The page works without it.
"use strict";
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      field.select();
      document.execCommand("copy");
    }
    const label = button.firstChild;
    const before = label.textContent;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = before; }, 1500);
  });
}
const result = document.getElementById("result");
if (result.dataset.focus === "yes") {
  result.focus({ preventScroll: false });
}
