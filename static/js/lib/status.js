// What a status means for the page: when to draw it anew, and what to say in between.

/**
 * One thing that is made on request. As campaign.keepsakes.Solid.
 * @typedef {{stand: string, percent: number, url: string, sentence: string, advice: string}} Solid
 */

/**
 * As campaign.queries.Status sends it. `eta_s` is what is left, at least 1, or null when nobody can
 * tell; `percent` is of one job, and others may come after it.
 * @typedef {{
 *   state: string, since: string, number: number, plaque: string, stage: string, percent: number,
 *   eta_s: number | null, ahead: number, sentence: string, advice: string,
 *   still_url: string, cutout_url: string, kept_until: string, screens: string[], was_shown: boolean,
 *   next_screen: string, next_at: string,
 *   keepsakes: {clip: {mp4: string, webm: string} | null, glb: Solid, stl: Solid},
 *   is_preview: boolean, can_retry: boolean, rerolls_left: number, is_on_desk: boolean, is_over: boolean,
 * }} Status
 */

const MOULDING = new Set(["queued", "generating"]);

/**
 * Two statuses with the same scene look the same but for the progress.
 * @param {Status} status
 * @returns {string}
 */
export function scene(status) {
  const state = MOULDING.has(status.state) ? "moulding" : status.state;
  const { cutout_url, screens, was_shown, rerolls_left, is_on_desk, keepsakes } = status;
  const { clip, glb, stl } = keepsakes;
  // Of what can be taken home, this page says only whether there is anything.
  const kept = [glb, stl].map(({ stand }) => stand === "" || stand === "gone");
  return JSON.stringify([state, cutout_url, screens, was_shown, rerolls_left, is_on_desk, clip, kept]);
}

/**
 * Which sentence says how long, and its number: seconds in fives once there are many, then minutes.
 * @param {number} seconds
 * @returns {{unit: "s" | "min", n: number}}
 */
export function span(seconds) {
  if (seconds > 90) return { unit: "min", n: Math.round(seconds / 60) };
  return { unit: "s", n: seconds > 15 ? Math.round(seconds / 5) * 5 : seconds };
}

/**
 * A sentence with its {blanks} filled in.
 * @param {string} sentence
 * @param {Record<string, string | number>} values
 * @returns {string}
 */
export function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (blank, name) => String(values[name] ?? blank));
}
