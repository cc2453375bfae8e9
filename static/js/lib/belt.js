// Who rides on the belt of a ribbon. Pure.

/**
 * Whoever was the hero last comes first, so that all move on by one when the hero changes; those
 * who have not been on yet follow, newest first.
 * @param {Iterable<import("./feed.js").Item>} items
 * @param {Map<string, import("./rotation.js").Shown>} history by submission
 * @param {string | null} hero
 */
export function riders(items, history, hero) {
  const lastMs = (/** @type {import("./feed.js").Item} */ { submission }) =>
    history.get(submission)?.lastMs ?? -Infinity;
  return [...items]
    .filter(({ submission }) => submission !== hero)
    .sort((one, other) => {
      const [a, b] = [lastMs(one), lastMs(other)];
      return a === b ? other.seq - one.seq : b - a;
    });
}
