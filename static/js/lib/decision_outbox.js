/**
 * Decisions on their way to the server: one at a time, in order, kept until answered.
 *
 * A decision names the version it is about (`seenAt`), so sending it twice is harmless; that is
 * why it may be sent again after any silence, even from the next page load.
 */

/**
 * @typedef {{key: string, id: string, verdict: string, seenAt: string, note: string,
 *   madeAt: number}} Decision
 * @typedef {{kind: "away"} | {kind: "signed-out"} | {kind: "somebody-else", who: string}} Trouble
 * @typedef {{kind: "done", since: string} | {kind: "overtaken", sentence: string}
 *   | Trouble} Answer
 */

const PAUSES_MS = [500, 1000, 2000, 4000, 8000];

export class DecisionOutbox {
  /** @type {Decision[]} */
  #entries = [];
  #isRunning = false;
  /** Grows with every change, so that a reader can tell that an older answer is stale. */
  version = 0;

  /**
   * @param {{storage: Pick<Storage, "setItem" | "removeItem" | "getItem" | "key" | "length">,
   *   prefix: string,
   *   send: (decision: Decision) => Promise<Answer>,
   *   onAnswer: (decision: Decision, answer: Answer) => void,
   *   onTrouble: (trouble: Trouble) => void,
   *   pause: (ms: number) => Promise<unknown>}} parts
   */
  constructor(parts) {
    this.parts = parts;
    this.#entries = this.#kept();
  }

  get length() {
    return this.#entries.length;
  }

  /** What waits, oldest first. */
  get entries() {
    return [...this.#entries];
  }

  /** @param {string} id */
  concerns(id) {
    return this.#entries.some((entry) => entry.id === id);
  }

  /** @param {Omit<Decision, "key" | "madeAt">} decision */
  add(decision) {
    const madeAt = Date.now();
    const entry = { ...decision, madeAt, key: `${madeAt}.${Math.random().toString(36).slice(2)}` };
    this.#entries.push(entry);
    this.#keep(entry);
    this.version += 1;
    this.run();
  }

  /** Send what is there until nothing is. Harmless when called again. */
  async run() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    let tries = 0;
    while (this.#entries.length) {
      const entry = this.#entries[0];
      const answer = await this.parts.send(entry);
      if (answer.kind !== "done" && answer.kind !== "overtaken") {
        this.parts.onTrouble(answer);
        await this.parts.pause(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]);
        tries += 1;
        continue;
      }
      tries = 0;
      this.#settle(entry, answer);
    }
    this.#isRunning = false;
  }

  /**
   * @param {Decision} entry
   * @param {Answer} answer
   */
  #settle(entry, answer) {
    this.#entries.shift();
    this.parts.storage.removeItem(this.parts.prefix + entry.key);
    if (answer.kind === "done") {
      // What waits for the same submission is about the version that this very decision made
      for (const later of this.#entries.filter((other) => other.id === entry.id)) {
        later.seenAt = answer.since;
        this.#keep(later);
      }
    } else {
      for (const later of this.#entries.filter((other) => other.id === entry.id)) {
        this.parts.storage.removeItem(this.parts.prefix + later.key);
      }
      this.#entries = this.#entries.filter((other) => other.id !== entry.id);
    }
    this.version += 1;
    this.parts.onAnswer(entry, answer);
  }

  /** @param {Decision} entry */
  #keep(entry) {
    this.parts.storage.setItem(this.parts.prefix + entry.key, JSON.stringify(entry));
  }

  /** @returns {Decision[]} */
  #kept() {
    const { storage, prefix } = this.parts;
    const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
    return keys
      .filter((key) => key.startsWith(prefix))
      .map((key) => JSON.parse(storage.getItem(key) ?? "null"))
      .sort((a, b) => a.madeAt - b.madeAt);
  }
}
