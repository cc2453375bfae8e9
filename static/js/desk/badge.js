/** Keeps the counts of the admin's sidebar and first page up to date. A classic script: unfold
    loads it in the head of every page. */

"use strict";

(() => {
  const POLL_MS = 5000;

  async function refresh() {
    const places = document.querySelectorAll("[data-count]");
    if (!places.length) return;
    if (document.visibilityState === "visible") await update(places);
    setTimeout(refresh, POLL_MS);
  }

  async function update(places) {
    const review = document.querySelector("a[href$='/submission/review/']");
    try {
      const response = await fetch(`${review.pathname}tally/`, {
        headers: { Accept: "application/json" },
      });
      if (!response.ok) return;
      const counts = await response.json();
      for (const place of places) place.textContent = counts[place.dataset.count];
    } catch {
      // Offline for a moment: the numbers stay as they are, the next look is in five seconds
    }
  }

  document.addEventListener("DOMContentLoaded", () => setTimeout(refresh, POLL_MS));
})();
