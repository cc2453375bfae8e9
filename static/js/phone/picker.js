// The row of kits and the swatches under it. What stands in the middle is what is chosen.

import { REST_MS, kept, nearest } from "../lib/picking.js";

/** @typedef {{label: HTMLElement, input: HTMLInputElement, picture: HTMLImageElement | null, pictures: Record<string, string>, finishes: string[]}} Kit */
/** @typedef {{label: HTMLElement, input: HTMLInputElement, title: string}} Finish */

export class Picker {
  /** @type {Kit[]} */
  #kits;
  /** @type {Finish[]} */
  #finishes;
  #rest = 0;

  /** @param {HTMLElement} root */
  constructor(root) {
    /** @param {string} selector @param {ParentNode} [from] */
    const all = (selector, from = root) =>
      /** @type {HTMLElement[]} */ (Array.from(from.querySelectorAll(selector)));
    this.row = /** @type {HTMLElement} */ (root.querySelector(".kits"));
    this.said = /** @type {HTMLElement | null} */ (root.querySelector(".finish-said"));
    this.#kits = all(".kit").map((label) => ({
      label,
      input: /** @type {HTMLInputElement} */ (label.querySelector("input")),
      picture: label.querySelector("img"),
      pictures: JSON.parse(String(label.dataset.pictures)),
      finishes: JSON.parse(String(label.dataset.finishes)),
    }));
    this.#finishes = all(".swatch").map((label) => ({
      label,
      input: /** @type {HTMLInputElement} */ (label.querySelector("input")),
      title: String(label.textContent).trim(),
    }));
    for (const kit of this.#kits) {
      kit.input.addEventListener("change", () => {
        this.#dress();
        this.#bringToTheMiddle("smooth");
      });
    }
    for (const { input } of this.#finishes) input.addEventListener("change", () => this.#dress());
    this.row.addEventListener("scroll", () => {
      clearTimeout(this.#rest);
      this.#rest = window.setTimeout(() => this.#takeTheMiddle(), REST_MS);
    });
    this.#dress();
  }

  /** Load the pictures while the page before is read. */
  fetchAhead() {
    for (const { picture } of this.#kits) if (picture) picture.loading = "eager";
  }

  /** The page is seen now. */
  arrive() {
    this.#bringToTheMiddle("instant");
  }

  /** @returns {Kit} */
  get #kit() {
    return this.#kits.find(({ input }) => input.checked) ?? this.#kits[0];
  }

  /** Finishes of this kit alone, its swatches, and every kit in the finish that is chosen. */
  #dress() {
    const kit = this.#kit;
    const was = this.#finishes.find(({ input }) => input.checked)?.input.value ?? "";
    const name = kept(kit.finishes, was);
    for (const { label, input, title } of this.#finishes) {
      label.hidden = !kit.finishes.includes(input.value);
      input.checked = input.value === name;
      if (input.checked && this.said) this.said.textContent = title;
      for (const swatch of label.querySelectorAll("svg")) {
        swatch.toggleAttribute("hidden", swatch.dataset.kit !== kit.input.value);
      }
    }
    for (const { picture, pictures } of this.#kits) {
      if (picture && pictures[name]) void put(picture, pictures[name]);
    }
  }

  /** @param {ScrollBehavior} behavior */
  #bringToTheMiddle(behavior) {
    const { label } = this.#kit;
    const left = label.offsetLeft + label.offsetWidth / 2 - this.row.clientWidth / 2;
    const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.row.scrollTo({ left, behavior: isCalm ? "instant" : behavior });
  }

  /** A swipe chooses, too. */
  #takeTheMiddle() {
    const spans = this.#kits.map(({ label }) => ({ left: label.offsetLeft, width: label.offsetWidth }));
    const kit = this.#kits[nearest(spans, this.row.scrollLeft + this.row.clientWidth / 2)];
    if (!kit || kit.input.checked || kit.input.type !== "radio") return;
    kit.input.checked = true;
    this.#dress();
  }
}

/**
 * Change a picture once the new one is there, so that nothing blinks.
 * @param {HTMLImageElement} picture
 * @param {string} address
 */
async function put(picture, address) {
  picture.dataset.wanted = address;
  if (picture.getAttribute("src") === address) return;
  const next = new Image();
  next.src = address;
  // Without it the old picture stays: the swatch tells the finish all the same.
  await next.decode().catch(() => undefined);
  if (picture.dataset.wanted === address && next.naturalWidth) picture.src = address;
}
