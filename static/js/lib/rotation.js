// Whose turn it is. Pure: no clock, no network, no page.

/**
 * @typedef {import("./feed.js").Item} Item
 * @typedef {{times: number, lastMs: number}} Shown how often, and when it last began
 */

/** A repeat may give way to somebody new once its own entrance is over. */
export const ENTRANCE_MS = 1000;

/**
 * All that may follow, best first: whoever was never shown, newest first; then whoever has waited
 * longest, which over a round shows everyone equally often. The one that is on comes last.
 * @param {Iterable<Item>} items
 * @param {Map<string, Shown>} history by submission
 * @param {string | null} current submission that is on now
 * @returns {Item[]}
 */
export function ranking(items, history, current) {
  return [...items].sort((one, other) => {
    const isOn = Number(one.submission === current) - Number(other.submission === current);
    if (isOn) return isOn;
    const a = history.get(one.submission);
    const b = history.get(other.submission);
    if (!a && !b) return newestFirst(one, other);
    if (!a || !b) return a ? 1 : -1;
    return a.lastMs - b.lastMs || a.times - b.times || newestFirst(one, other);
  });
}

/**
 * Whether somebody new goes up now instead of at the end of the slot. Everyone's first showing is
 * theirs to the end.
 * @param {{isRepeat: boolean, startedMs: number} | null} current
 * @param {number} nowMs
 */
export function givesWay(current, nowMs) {
  return current === null || (current.isRepeat && nowMs - current.startedMs >= ENTRANCE_MS);
}

/**
 * The most recent first, for the small cards, without the one that is big.
 * @param {Iterable<Item>} items
 * @param {string | null} hero
 * @returns {Item[]}
 */
export function mostRecent(items, hero) {
  return [...items].filter((item) => item.submission !== hero).sort(newestFirst);
}

/** @param {Item} one @param {Item} other */
function newestFirst(one, other) {
  return other.seq - one.seq || Date.parse(other.approved_at) - Date.parse(one.approved_at);
}
