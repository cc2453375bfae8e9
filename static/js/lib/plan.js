// Who is on when, as the server has planned it. Pure: no clock, no network, no page.

/**
 * As billboard/protocol.py sends it: moments are the server's, in milliseconds since 1970.
 * @typedef {{at_ms: number, duration_ms: number, submission: string, place: number}} Slot
 * @typedef {{type: "plan", rev: number, at: string, places: number, slots: Slot[]}} PlanFrame
 *   `places` are how many the screen is divided into, where its layout is its shape's
 */

/** Timers and clocks are early by so much at times: what begins this soon has begun. */
const EARLY_MS = 100;

/** The plan of all places of this screen. Fresh until its last slot is over. */
export class Plan {
  /** @type {Slot[]} */
  #slots = [];

  /** The later frame holds. @param {PlanFrame} frame */
  take({ slots }) {
    this.#slots = [...slots].sort((one, other) => one.at_ms - other.at_ms);
  }

  /** The slot that is on in a place, or null when the plan has run out or says nobody.
   * @param {number} nowMs */
  on(nowMs, place = 0) {
    const ms = nowMs + EARLY_MS;
    const isOn = (/** @type {Slot} */ slot) => slot.at_ms <= ms && ms < slot.at_ms + slot.duration_ms;
    return this.#slots.findLast((slot) => slot.place === place && isOn(slot)) ?? null;
  }

  /** The first slot still to come in one of so many places, or null. @param {number} nowMs */
  next(nowMs, places = 1) {
    return this.#slots.find(({ at_ms, place }) => place < places && at_ms > nowMs + EARLY_MS) ?? null;
  }

  /** Until the slot that is on in a place ends, or null without one. @param {number} nowMs */
  leftMs(nowMs, place = 0) {
    const slot = this.on(nowMs, place);
    return slot && slot.at_ms + slot.duration_ms - nowMs;
  }
}
