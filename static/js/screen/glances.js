// What is on now, told to the crew in pictures: taken at rest, told once, kept nowhere here.

import { Glancing, widthOf } from "../lib/glancing.js";
import { Camera } from "./capture.js";

const LOOK_EVERY_MS = 500;
const ANSWER_MS = 15_000;
const IDLE_MS = 1000;
/** Less than a command's deadline (billboard/commands.py). */
const ASKED_MS = 20_000;
/** Somebody on it was taken down meanwhile, or came again. */
const CONFLICT = 409;
const TOO_MANY = 429;
const SERVER_FAILED = 500;

export class Glances {
  #camera = new Camera();
  #glancing = new Glancing({ nowMs: performance.now() });
  #url;
  #isBusy = false;
  /** Refused twice in a row is no matter of a moment: the next is taken at its time. */
  #wasStale = false;
  /** Each is told why there is none. @type {Set<(why: string) => void>} */
  #asking = new Set();

  /** @param {string | undefined} url where pictures go; without one none is taken */
  constructor(url) {
    this.#url = url;
    if (url) setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** @param {{watched?: boolean}} frame of the server's */
  hear({ watched }) {
    if (watched !== undefined) this.#glancing.watch(watched, performance.now());
  }

  /** @param {string} submission who went up in a place @param {boolean} isFirst of their showings here */
  shown(submission, isFirst) {
    if (isFirst) this.#glancing.first(submission, performance.now());
    else this.#glancing.again(submission, performance.now());
  }

  /** @param {string[]} submissions */
  removed(submissions) {
    if (submissions.length > 0) this.#glancing.soon(performance.now());
    submissions.forEach((submission) => this.#glancing.forget(submission));
  }

  /** A large one as soon as can be. Resolves to why the server does not have it, or to nothing.
   * @returns {Promise<string>} */
  async ask() {
    if (!this.#url) return "this page takes none";
    // It would be taken whenever the page is seen again.
    if (document.visibilityState !== "visible") return "the page is not in sight";
    this.#glancing.ask();
    return new Promise((resolve) => {
      this.#asking.add(resolve);
      setTimeout(() => {
        if (this.#asking.delete(resolve) && this.#asking.size === 0) this.#glancing.unask();
        resolve("it could not be taken in time");
      }, ASKED_MS);
    });
  }

  #look() {
    if (this.#isBusy || document.visibilityState !== "visible") return;
    const kind = this.#glancing.due(performance.now(), this.#camera.isRestless);
    if (!kind) return;
    this.#isBusy = true;
    requestIdleCallback(
      async () => {
        const isTold = await this.#take(kind).catch((error) => {
          console.warn("no picture of the page", error);
          return false;
        });
        if (kind === "asked") {
          this.#asking.forEach((answer) => answer(isTold ? "" : "it did not reach the server"));
          this.#asking.clear();
        }
        this.#isBusy = false;
      },
      { timeout: IDLE_MS },
    );
  }

  /** @param {import("../lib/glancing.js").Kind} kind */
  async #take(kind) {
    const page = { width: innerWidth, height: innerHeight };
    const widthPx = widthOf(kind, page, devicePixelRatio);
    const beganMs = performance.now();
    const taken = await this.#camera.take({ widthPx }).catch((error) => {
      this.#glancing.took(kind, [], performance.now());
      throw error;
    });
    const tookMs = performance.now() - beganMs;
    const large = taken.on.filter(({ isLarge }) => isLarge).map(({ submission }) => submission);
    const firsts = this.#glancing.took(kind, large, performance.now(), tookMs);
    if (kind === "first" && firsts.length === 0) return false;
    const on = taken.on.map(({ submission, seq }) => ({
      submission,
      seq,
      is_first: firsts.includes(submission),
    }));
    const response = await fetch(this.#url ?? "", {
      method: "POST",
      headers: {
        "Content-Type": taken.blob.type,
        "Diorama-Capture": JSON.stringify({ kind, on }),
      },
      body: taken.blob,
      signal: AbortSignal.timeout(ANSWER_MS),
    }).catch((error) => {
      this.#glancing.lost(firsts, performance.now());
      throw error;
    });
    if (isFinal(response.status)) this.#glancing.told(firsts);
    else this.#glancing.lost(firsts, performance.now());
    const isStale = response.status === CONFLICT;
    if (isStale && !this.#wasStale) this.#glancing.soon(performance.now());
    this.#wasStale = isStale;
    return response.ok;
  }
}

/** Whether the same picture would be answered alike a little later: kept, or no first showing.
 * @param {number} status */
function isFinal(status) {
  return status < SERVER_FAILED && status !== CONFLICT && status !== TOO_MANY;
}
