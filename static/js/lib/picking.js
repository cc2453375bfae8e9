// Choosing from a row that is swiped: what stands in the middle, and what goes with it.

/** A row is at rest after this long without a move. Safari had no `scrollend` before version 26. */
export const REST_MS = 120;

/**
 * Which of these spans has its middle nearest to a point.
 * @param {{left: number, width: number}[]} spans
 * @param {number} point
 * @returns {number}  its place, or -1 for none
 */
export function nearest(spans, point) {
  const away = spans.map(({ left, width }) => Math.abs(left + width / 2 - point));
  return away.indexOf(Math.min(...away));
}

/**
 * The wanted one where it is to be had, else the first.
 * @param {string[]} available
 * @param {string} wanted
 * @returns {string}
 */
export function kept(available, wanted) {
  return available.includes(wanted) ? wanted : (available[0] ?? "");
}
