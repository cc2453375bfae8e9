// Deletions that are owed: noted before they are tried, crossed out once they are on the disk.

const KEY = "diorama.owed";

/**
 * Kept apart from what is to be deleted: a disk or a database that fails forgets nothing here.
 */
export class Owed {
  #storage;

  /** @param {Pick<Storage, "getItem" | "setItem">} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** Submissions of which something may still lie on the device. @returns {string[]} */
  get all() {
    try {
      const noted = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return Array.isArray(noted) ? noted.filter((one) => typeof one === "string") : [];
    } catch {
      return [];
    }
  }

  /** @param {string[]} submissions */
  note(submissions) {
    this.#write([...new Set([...this.all, ...submissions])]);
  }

  /** @param {string[]} submissions */
  crossOut(submissions) {
    this.#write(this.all.filter((one) => !submissions.includes(one)));
  }

  /** @param {string[]} submissions */
  #write(submissions) {
    try {
      this.#storage.setItem(KEY, JSON.stringify(submissions));
    } catch (error) {
      console.error("what is owed could not be noted", error);
    }
  }
}
