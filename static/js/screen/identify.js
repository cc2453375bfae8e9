// Which screen is this? Its name over everything, for as long as a person in the street needs.

import { arrangeLine } from "./words.js";

/** Time to walk to where it can be seen, with a phone in the hand. */
const SHOWN_MS = 10_000;

let hiding = 0;

/** @param {string} name */
export function identify(name) {
  const box = document.querySelector("[data-part=identify]");
  const line = box?.querySelector(".identify-name");
  const size = box?.querySelector(".identify-size");
  if (!(box instanceof HTMLElement) || !(line instanceof HTMLElement) || !size) return;
  line.replaceChildren(
    ...name.split(/\s+/).flatMap((word) => {
      const span = document.createElement("span");
      span.textContent = word;
      return [span, " "];
    }),
  );
  const px = (/** @type {number} */ length) => Math.round(length * devicePixelRatio);
  size.textContent = `${px(innerWidth)} \u00d7 ${px(innerHeight)}`;
  box.hidden = false;
  arrangeLine(line);
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    box.hidden = true;
  }, SHOWN_MS);
}
