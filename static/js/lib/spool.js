// What the server must hear, on the disk: it outlives the browser, not only the connection.

import { answered, committed, openDatabase } from "./database.js";

/**
 * @typedef {import("./outbox.js").Ack} Ack
 * @typedef {{id: number, ack: Ack}} Entry
 */

export const NAME = "diorama-spool";

/**
 * The outbox's memory. Without a database it remembers nothing, and says so once; nothing rejects.
 */
export class Spool {
  /** @type {IDBDatabase | null} */
  #database = null;
  #owner;
  #hasComplained = false;

  /** @param {{owner: string}} whose plays these are; another's were never this screen's to tell */
  constructor({ owner }) {
    this.#owner = owner;
  }

  async open() {
    try {
      this.#database = await openDatabase(NAME, (database) => {
        database.createObjectStore("acks");
        database.createObjectStore("open");
      });
    } catch (error) {
      this.#complain(error);
    }
  }

  /** All that waited, oldest first, and the ends of the plays that were on when the browser ended.
   * @returns {Promise<{entries: Entry[], endings: Ack[]}>} */
  async load() {
    if (!this.#database) return { entries: [], endings: [] };
    try {
      const reading = this.#database.transaction(["acks", "open"]);
      const [acks, open] = await Promise.all([
        answered(reading.objectStore("acks").getAll()),
        answered(reading.objectStore("open").get("now")),
      ]);
      const entries = acks.filter(({ owner }) => owner === this.#owner);
      if (entries.length < acks.length) {
        console.error("plays of another screen are dropped", acks.length - entries.length);
        this.remove(acks.filter(({ owner }) => owner !== this.#owner).map(({ id }) => id));
      }
      const told = new Set(
        entries.filter(({ ack }) => ack.duration_ms !== null).map(({ ack }) => ack.play_id),
      );
      const left = open?.owner === this.#owner ? open.acks : [];
      return { entries, endings: left.filter((/** @type {Ack} */ ack) => !told.has(ack.play_id)) };
    } catch (error) {
      this.#complain(error);
      return { entries: [], endings: [] };
    }
  }

  /** @param {number} id in their order @param {Ack} ack */
  add(id, ack) {
    this.#change("acks", (store) => store.put({ id, ack, owner: this.#owner }, id));
  }

  /** @param {number[]} ids */
  remove(ids) {
    this.#change("acks", (store) => ids.forEach((id) => store.delete(id)));
  }

  /** The plays that are on, as if they ended now: should the browser be killed, they did.
   * @param {Ack[]} acks */
  note(acks) {
    this.#change("open", (store) => store.put({ acks, owner: this.#owner }, "now"));
  }

  /** @param {string} name @param {(store: IDBObjectStore) => void} change */
  async #change(name, change) {
    if (!this.#database) return;
    try {
      const transaction = this.#database.transaction(name, "readwrite", { durability: "relaxed" });
      change(transaction.objectStore(name));
      await committed(transaction);
    } catch (error) {
      this.#complain(error);
    }
  }

  /** @param {unknown} error */
  #complain(error) {
    if (!this.#hasComplained) console.error("plays are kept in memory only", error);
    this.#hasComplained = true;
  }
}
