// How a browser becomes a screen without hands: shows letters, asks whether somebody confirmed them.
// Source: RFC 8628, sections 3.3 to 3.5.

import { backoffMs } from "./backoff.js";

/** @typedef {{code: string, qr: string}} Shown Letters, and the square that leads to them. */
/** @typedef {"" | "away" | "busy" | "denied"} News */

const SLOW_DOWN_MS = 5000;
const AWAY_MOST_MS = 30_000;
/** After a refusal: nobody is pestered with new letters at once. */
const REST_MS = 60_000;
const ANSWER_MS = 10_000;

/** Goes on by itself, through outages and new letters, until it is a screen. */
export class Pairing {
  #askUrl;
  #pollUrl;
  #size;
  #fetch;
  #wait;
  #now;
  #show;

  /** @param {{askUrl: string, pollUrl: string, size: () => {width_px: number, height_px: number},
   *   show: (letters: Shown | null, news: News) => void, fetch: typeof fetch,
   *   wait: (ms: number) => Promise<void>, now: () => number}} world monotonic `now` */
  constructor({ askUrl, pollUrl, size, show, fetch, wait, now }) {
    this.#askUrl = askUrl;
    this.#pollUrl = pollUrl;
    this.#size = size;
    this.#show = show;
    this.#fetch = fetch;
    this.#wait = wait;
    this.#now = now;
  }

  /** Resolves once this browser holds a screen's cookie. */
  async untilPaired() {
    for (;;) {
      const told = await this.#letters();
      const end = await this.#untilDecided(told);
      if (end === "paired") return;
      if (end === "denied") {
        this.#show(null, "denied");
        await this.#wait(REST_MS);
      }
    }
  }

  async #letters() {
    for (let attempt = 0; ; attempt += 1) {
      const { status, said } = await this.#post(this.#askUrl, this.#size());
      if (status === 200 && typeof said.user_code === "string") return said;
      this.#show(null, status === 429 ? "busy" : "away");
      await this.#wait(status === 429 ? REST_MS : awayMs(attempt));
    }
  }

  /** @param {any} told @returns {Promise<"paired" | "denied" | "over">} */
  async #untilDecided(told) {
    const letters = { code: told.user_code, qr: told.qr_svg };
    const endMs = this.#now() + told.expires_in * 1000;
    let intervalMs = told.interval * 1000;
    let away = 0;
    this.#show(letters, "");
    await this.#wait(intervalMs);
    for (;;) {
      const { status, said } = await this.#post(this.#pollUrl, {});
      if (status === 204) return "paired";
      if (said.code === "access_denied") return "denied";
      if (said.code === "expired_token") return "over";
      if (said.code === "slow_down") intervalMs += SLOW_DOWN_MS;
      const isHeard = said.code === "slow_down" || said.code === "authorization_pending";
      away = isHeard ? 0 : away + 1;
      // Letters that cannot hold any more are not left standing.
      if (!isHeard && this.#now() > endMs) return "over";
      this.#show(letters, isHeard ? "" : "away");
      await this.#wait(isHeard ? intervalMs : Math.max(intervalMs, awayMs(away)));
    }
  }

  /** @param {string} address @param {object} body @returns {Promise<{status: number, said: any}>} */
  async #post(address, body) {
    try {
      const response = await this.#fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const said = response.status === 204 ? {} : await response.json();
      return { status: response.status, said: said ?? {} };
    } catch {
      return { status: 0, said: {} };
    }
  }
}

/** @param {number} attempt */
function awayMs(attempt) {
  return backoffMs(attempt, { firstMs: SLOW_DOWN_MS, mostMs: AWAY_MOST_MS });
}
