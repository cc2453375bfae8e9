/** How long something waits, as a clock reads it; and how long ago it was, in words. */

/**
 * @param {number} seconds
 * @returns {string} "0:42", "12:05", "1:02:05"
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

const STEPS = /** @type {const} */ ([
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
]);

/**
 * @param {number} seconds
 * @param {string} language
 * @returns {string} in the largest unit that is whole: "4 sec. ago"
 */
export function ago(seconds, language) {
  const whole = Math.max(0, Math.floor(seconds));
  const [unit, length] = STEPS.find(([, step]) => whole >= step) ?? STEPS[3];
  const words = new Intl.RelativeTimeFormat(language, { style: "short" });
  return words.format(-Math.floor(whole / length), unit);
}
