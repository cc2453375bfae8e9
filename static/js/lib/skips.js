// Pictures that could not be had are left out for a while. Pure: no clock, no network, no page.

/** How long a picture that would not load is left out. */
const SKIP_MS = 20_000;
/** The same where it is only late. */
const LATE_SKIP_MS = 4000;

/** By address: a fresh one is worth a try at once. */
export class Skips {
  /** @type {Map<string, number>} until when */
  #untilMs = new Map();

  /** @param {string} picture @param {number} nowMs @param {{isLate?: boolean}} [how] */
  add(picture, nowMs, { isLate = false } = {}) {
    this.#untilMs.set(picture, nowMs + (isLate ? LATE_SKIP_MS : SKIP_MS));
  }

  /** Without those that are left out now.
   * @template {{picture: string}} T @param {Iterable<T>} items @param {number} nowMs */
  without(items, nowMs) {
    for (const [picture, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(picture);
    }
    return [...items].filter(({ picture }) => !this.#untilMs.has(picture));
  }
}
