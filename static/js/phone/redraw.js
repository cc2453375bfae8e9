// A page that the server draws anew while it stays open: fetched, and its <main> put in place.

/**
 * Fetch this page as it is now and swap its main part, by a view transition where there is one.
 * @param {{arrived: () => void, keep?: (old: HTMLElement, next: HTMLElement) => void}} hooks
 *   `keep` may carry parts of the old page over into the new one before it is swapped in
 */
export async function redraw({ arrived, keep }) {
  const old = main();
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`page ${answer.status}`);
  if (answer.redirected) {
    // It is not for this visitor any more, or not yet; where it leads to tells.
    window.location.replace(answer.url);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.querySelector("main");
  if (!next || next.id !== old.id) throw new Error("not our page");
  const swap = () => {
    keep?.(old, next);
    old.replaceWith(next);
    document.title = page.title;
    arrived();
    say();
  };
  if (document.startViewTransition) await document.startViewTransition(swap).updateCallbackDone;
  else swap();
}

/** @returns {HTMLElement} */
export function main() {
  return /** @type {HTMLElement} */ (document.querySelector("main"));
}

/** The new page's words, aloud. */
function say() {
  const words = [".headline", ".lead"].map((part) => main().querySelector(part)?.textContent ?? "");
  /** @type {HTMLElement} */ (document.querySelector("#said")).textContent = words.join(". ");
}
