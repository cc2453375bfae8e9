/** The order in which cards come onto one moderator's desk. Pure. */

/**
 * @typedef {{id: string, since: string, claimed_by: string, state: string}} Card
 */

/**
 * Cards still to decide: what was decided here is left out until the server has moved it.
 * @template {Card} C
 * @param {C[]} cards
 * @param {Map<string, string>} decided id -> the `since` the decision was about
 * @returns {C[]}
 */
export function undecided(cards, decided) {
  return cards.filter((card) => decided.get(card.id) !== card.since);
}

/**
 * The next free card after this one, then from the front again.
 * @template {Card} C
 * @param {C[]} cards
 * @param {string} [currentId]
 * @returns {C | null}
 */
export function following(cards, currentId) {
  return ring(cards, currentId)[0] ?? null;
}

/**
 * The free card before this one, or the last.
 * @template {Card} C
 * @param {C[]} cards
 * @param {string} [currentId]
 * @returns {C | null}
 */
export function preceding(cards, currentId) {
  return ring(cards, currentId).at(-1) ?? null;
}

/**
 * All free cards but the current, in the order in which they come.
 * @template {Card} C
 * @param {C[]} cards
 * @param {string} [currentId]
 * @returns {C[]}
 */
export function ring(cards, currentId) {
  const at = cards.findIndex((card) => card.id === currentId);
  const others = [...cards.slice(at + 1), ...cards.slice(0, Math.max(at, 0))];
  return others.filter((card) => !card.claimed_by);
}
