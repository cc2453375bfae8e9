// A page that the server draws anew while it stays open: fetched, and its <main> put in place.

import { backoffMs } from "../lib/backoff.js";

/** A page that has not come after this long is asked for again. */
const ANSWER_MS = 10_000;

/**
 * What a page does around it: `keep` may carry parts of the old page over into the new one before it
 * is swapped in; `arrived` looks after the new one and asks for what came meanwhile; `again` is for
 * later, where the page could not be had.
 * @typedef {{arrived: () => void, keep: (old: HTMLElement, next: HTMLElement) => void, again: () => void}} Hooks
 */

/** A function that has the page drawn anew, once at a time. @param {Hooks} hooks */
export function redrawing(hooks) {
  let isDrawing = false;
  let failures = 0;
  return async () => {
    if (isDrawing) return;
    isDrawing = true;
    try {
      await redraw(hooks);
      failures = 0;
    } catch {
      setTimeout(hooks.again, backoffMs(failures));
      failures += 1;
    } finally {
      isDrawing = false;
    }
  };
}

/** Fetch this page as it is now and swap its main part, by a view transition where there is one. */
async function redraw(/** @type {Hooks} */ { arrived, keep }) {
  const old = main();
  const answer = await fetch(window.location.href, {
    headers: { Accept: "text/html" },
    signal: AbortSignal.timeout(ANSWER_MS),
  });
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
    keep(old, next);
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
