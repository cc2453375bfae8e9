// What the server must hear, kept until it said that it has.

/** @typedef {Record<string, unknown> & {ack: string, play_id?: string}} Ack */

/** The server takes a hundred (billboard/protocol.py, ACKS_MAX). */
const ACKS_PER_FRAME = 50;

/** A queue of acknowledgements. Delivered at least once; the server knows a repeat by its ids. */
export class Outbox {
  /** @type {Ack[]} */
  #waiting = [];
  /** @type {Map<number, Ack[]>} */
  #underway = new Map();
  #n = 0;

  /** A play's end takes the place of its beginning where that has not left yet. @param {Ack} ack */
  add(ack) {
    const begun = ack.play_id
      ? this.#waiting.findIndex((other) => other.play_id === ack.play_id)
      : -1;
    if (begun >= 0) this.#waiting[begun] = ack;
    else this.#waiting.push(ack);
  }

  /** The next frame to send, or null when nothing waits. */
  next() {
    if (this.#waiting.length === 0) return null;
    const acks = this.#waiting.splice(0, ACKS_PER_FRAME);
    const n = (this.#n += 1);
    this.#underway.set(n, acks);
    return { type: "acks", n, acks };
  }

  /** The server has frame `n`. @param {number} n */
  confirm(n) {
    this.#underway.delete(n);
  }

  /** The way was cut: all that was not confirmed waits again, in its order. */
  takeBack() {
    this.#waiting = [...this.#underway.values(), this.#waiting].flat();
    this.#underway.clear();
  }
}
