// The way back to figurines that this browser sent for, also where the answer was lost on its way.

import { SentKeys } from "../lib/sent.js";

/** Longer is not waited for: whoever is here has something to do. */
const ANSWER_MS = 5000;

/** @typedef {{key: string, status_url: string, name: string}} Figurine */

/** Its lines stand in `nav`: who they are by name, since phones are lent. */
export class Mine {
  /** @type {Map<string, Figurine>} */
  #found = new Map();

  /** @param {HTMLElement} nav */
  constructor(nav) {
    this.nav = nav;
    this.sent = new SentKeys(String(nav.dataset.campaign), () => window.localStorage);
  }

  /**
   * Ask about whatever was sent and not heard of, and offer it. Returns what is new, newest first:
   * nothing where nobody answers.
   * @returns {Promise<Figurine[]>}
   */
  async ask() {
    const unheard = this.sent.list().filter((key) => !this.#found.has(key));
    if (!unheard.length) return [];
    const answer = await asked(String(this.nav.dataset.url), unheard).catch(() => null);
    if (!answer) return [];
    for (const one of answer.figurines) this.#found.set(one.key, one);
    const silent = unheard.filter((key) => !this.#found.has(key));
    this.sent.forget([...answer.gone, ...this.sent.lost(silent)]);
    this.#draw();
    return answer.figurines;
  }

  #draw() {
    const found = this.sent.list().flatMap((key) => this.#found.get(key) ?? []);
    const line = /** @type {HTMLTemplateElement} */ (this.nav.querySelector("template"));
    for (const old of this.nav.querySelectorAll("a")) old.remove();
    for (const { status_url, name } of found) {
      const copy = /** @type {DocumentFragment} */ (line.content.cloneNode(true));
      const link = /** @type {HTMLAnchorElement} */ (copy.querySelector("a"));
      link.href = status_url;
      /** @type {HTMLElement} */ (link.querySelector("strong")).textContent = name;
      this.nav.append(copy);
    }
    this.nav.hidden = !found.length;
  }
}

/** @param {string} url @param {string[]} keys @returns {Promise<{figurines: Figurine[], gone: string[]}>} */
async function asked(url, keys) {
  const body = new FormData();
  for (const key of keys) body.append("idempotency_key", key);
  const answer = await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(ANSWER_MS) });
  if (!answer.ok) throw new Error(`mine ${answer.status}`);
  return answer.json();
}
