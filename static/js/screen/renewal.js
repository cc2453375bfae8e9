// Loading the page anew without ever landing on a browser's own error page, which stays for good.

import { backoffMs } from "../lib/backoff.js";

/** Only these pages have it in their body; see billboard/templates/billboard/. */
const PLAYER = "data-acks-url=";
const UNPAIRED = "data-session-url=";

const ANSWER_MS = 5000;
const BACKOFF_MOST_MS = 30_000;
/** Between two loads for whatever reason, up to half as long again. */
const REST_MS = 300_000;
const REST_UNTIL = "diorama.rest-until";
/** Twice as long after each load in which no frame came, as while the display is switched off. */
const REST_MOST_MS = 3600_000;
const FRAMELESS = "diorama.frameless";

/** Reloads once the server answers with the page that is wanted. */
export class Renewal {
  #fetch;
  #reload;
  #storage;
  #isShellKept;
  #isUnderway = false;
  #hasDrawn = false;

  /** @param {{fetch: typeof fetch, reload: () => void, storage: Storage,
   *   isShellKept?: () => Promise<boolean>}} world whether a load succeeds without a network */
  constructor({ fetch, reload, storage, isShellKept = async () => false }) {
    this.#fetch = fetch;
    this.#reload = reload;
    this.#storage = storage;
    this.#isShellKept = isShellKept;
  }

  /** A frame came. */
  drew() {
    this.#hasDrawn = true;
    if (this.#frameless === 0) return;
    this.#storage.removeItem(FRAMELESS);
    this.#storage.setItem(REST_UNTIL, String(Date.now() + REST_MS));
  }

  /** Loads in a row in which none came. */
  get #frameless() {
    return Number(this.#storage.getItem(FRAMELESS)) || 0;
  }

  /** The server has another look. Servers that disagree would reload screens for ever: rests. */
  async forNewLook() {
    if (this.#isResting()) return;
    if (!(await this.#page()).includes(PLAYER)) return; // The next beat asks again.
    this.#restAndReload();
  }

  /** Something is wrong in here, or it is night: reloads where that brings the player back, with the
   * network or without. @param {string} why for the log */
  async forHealth(why) {
    if (this.#isResting() || this.#isUnderway) return;
    this.#isUnderway = true;
    let isSafe = false;
    try {
      isSafe = await this.#isSafe();
    } finally {
      this.#isUnderway = false;
    }
    if (!isSafe) return;
    console.warn(`loads anew: ${why}`);
    this.#restAndReload();
  }

  /** The crew wants it, now. Whether it comes: only where the load brings the player back. */
  async forOrder() {
    const isSafe = await this.#isSafe();
    if (isSafe) this.#reload();
    return isSafe;
  }

  async #isSafe() {
    return (await this.#page()).includes(PLAYER) || (await this.#isShellKept());
  }

  #isResting() {
    const left = Number(this.#storage.getItem(REST_UNTIL)) - Date.now();
    // Longer than it can be means that the clock was set back.
    return left > 0 && left <= REST_MOST_MS;
  }

  #restAndReload() {
    const frameless = this.#hasDrawn ? 0 : this.#frameless + 1;
    if (frameless > 0) this.#storage.setItem(FRAMELESS, String(frameless));
    const restMs = Math.min(REST_MOST_MS, REST_MS * 2 ** frameless * (1 + Math.random() / 2));
    this.#storage.setItem(REST_UNTIL, String(Date.now() + restMs));
    this.#reload();
  }

  /** This browser is no screen any more: tries until the page that says so is there, or until it
   * is one again. */
  async forUnpaired() {
    if (this.#isUnderway) return;
    this.#isUnderway = true;
    for (let attempt = 0; ; attempt += 1) {
      const page = await this.#page();
      if (page.includes(UNPAIRED)) this.#reload();
      if (page.includes(UNPAIRED) || page.includes(PLAYER)) break;
      const waitMs = backoffMs(attempt, { mostMs: BACKOFF_MOST_MS });
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    this.#isUnderway = false;
  }

  /** What a reload would bring; nothing while the server is away. */
  async #page() {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const response = await this.#fetch(location.pathname, { cache: "no-store", signal });
      return response.status === 200 ? await response.text() : "";
    } catch {
      return "";
    }
  }
}
