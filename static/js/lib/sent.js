// The keys of what this browser has sent. With one the server tells whose page came of it, also
// where the answer was lost and the page was left.

const NAME = "diorama.sent";
/** As many as one phone may send in ten minutes (campaign/intake.py); older ones make room. */
export const MOST_KEYS = 12;
/** An upload that the server has heard nothing of for so long never reached it. */
export const UNHEARD_MS = 86_400_000;

/**
 * @typedef {{key: string, campaign: string, at: number, isAnswered?: boolean}} Sent
 *   at: ms since 1970, by this clock; isAnswered: whoever sent it was led to its page
 */

/** Kept in the browser; where it keeps nothing, as some private windows, as long as the page. */
export class SentKeys {
  /** @type {Sent[]} newest first */
  #here = [];
  #isKept = true;

  /** @param {string} campaign @param {() => Storage} open  gives the storage; may throw */
  constructor(campaign, open) {
    this.campaign = campaign;
    this.open = open;
  }

  /** Before it is sent: afterwards may be too late. @param {string} key @param {number} [now] */
  add(key, now = Date.now()) {
    if (this.#all().some((sent) => sent.key === key)) return;
    this.#keep([{ key, campaign: this.campaign, at: now }, ...this.#all()].slice(0, MOST_KEYS));
  }

  /** Its answer has come. @param {string} key */
  answered(key) {
    this.#keep(this.#all().map((sent) => (sent.key === key ? { ...sent, isAnswered: true } : sent)));
  }

  /** @param {string} key */
  isAnswered(key) {
    return this.#all().some((sent) => sent.key === key && sent.isAnswered === true);
  }

  /** What was sent to this campaign, newest first. @returns {string[]} */
  list() {
    return this.#ours().map(({ key }) => key);
  }

  /** @param {string[]} keys */
  forget(keys) {
    this.#keep(this.#all().filter(({ key }) => !keys.includes(key)));
  }

  /** Which of these never reached the server, by now. @param {string[]} keys @param {number} [now] */
  lost(keys, now = Date.now()) {
    const late = this.#ours().filter(({ key, at }) => keys.includes(key) && now - at > UNHEARD_MS);
    return late.map(({ key }) => key);
  }

  #ours() {
    return this.#all().filter(({ campaign }) => campaign === this.campaign);
  }

  /** Read anew each time: another tab may have sent one. */
  #all() {
    try {
      if (this.#isKept) this.#here = JSON.parse(this.open().getItem(NAME) ?? "[]");
    } catch {
      this.#isKept = false;
    }
    return this.#here;
  }

  /** @param {Sent[]} all */
  #keep(all) {
    this.#here = all;
    try {
      this.open().setItem(NAME, JSON.stringify(all));
    } catch {
      this.#isKept = false;
    }
  }
}
