// How smoothly a screen draws. Pure: it is told of frames and films, and counts.

/** A heartbeat. */
const SECONDS = 5;

/** @typedef {{getVideoPlaybackQuality?: () => {droppedVideoFrames: number}}} Film */

export class Meter {
  #startedMs;
  /** @type {Map<number, number>} frames by second since the start */
  #frames = new Map();
  /** @type {WeakMap<Film, number>} */
  #known = new WeakMap();
  #dropped = 0;

  /** @param {{nowMs: number}} start */
  constructor({ nowMs }) {
    this.#startedMs = nowMs;
  }

  /** A frame was drawn. @param {number} nowMs */
  drew(nowMs) {
    const second = this.#second(nowMs);
    if (!this.#frames.has(second)) this.#forget(second - SECONDS);
    this.#frames.set(second, (this.#frames.get(second) ?? 0) + 1);
  }

  /** Frames a second, the median of the last beat's; null before the first whole second.
   * @param {number} nowMs */
  fps(nowMs) {
    const now = this.#second(nowMs);
    const counts = [];
    for (let second = Math.max(0, now - SECONDS); second < now; second += 1) {
      counts.push(this.#frames.get(second) ?? 0);
    }
    return counts.length ? counts.sort((one, other) => one - other)[counts.length >> 1] : null;
  }

  /** Looks at the films that are on; ask often, they come and go. @param {Iterable<Film>} films */
  see(films) {
    for (const film of films) {
      const dropped = film.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
      this.#dropped += Math.max(0, dropped - (this.#known.get(film) ?? 0));
      this.#known.set(film, dropped);
    }
  }

  /** Frames of films that were not drawn in time, of all films there were. */
  get dropped() {
    return this.#dropped;
  }

  /** @param {number} before */
  #forget(before) {
    for (const second of this.#frames.keys()) if (second < before) this.#frames.delete(second);
  }

  /** @param {number} nowMs */
  #second(nowMs) {
    return Math.floor((nowMs - this.#startedMs) / 1000);
  }
}
