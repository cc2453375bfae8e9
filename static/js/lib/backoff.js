// How long to wait before trying again, so that a crowd does not come back all at once.

/**
 * Milliseconds before try number `attempt` (0 is the first repeat): doubling, capped, and jittered
 * over its upper half. `random` gives 0..1.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, equal jitter.
 * @param {number} attempt
 * @param {{firstMs?: number, mostMs?: number, random?: () => number}} [options]
 * @returns {number}
 */
export function backoffMs(attempt, { firstMs = 1000, mostMs = 15000, random = Math.random } = {}) {
  const ceiling = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}
