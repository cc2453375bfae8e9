// How a display hangs: turned, with a rim that is covered, dimmed at night, never quite still. Pure.

/** Full circles of the drift, in minutes; they share no factor, so its path comes back in a day. */
const DRIFT_X_MIN = 37;
const DRIFT_Y_MIN = 53;

/**
 * The upright picture on a display that is mounted turned.
 * @param {{width: number, height: number}} display as the computer has it, CSS px
 * @param {number} rotation of the picture, degrees clockwise: 0, 90, 180 or 270
 * @returns {{width: number, height: number, transform: string}} with the origin at the top left
 */
export function upright({ width, height }, rotation) {
  switch (rotation) {
    case 90:
      return { width: height, height: width, transform: `translate(${width}px, 0) rotate(90deg)` };
    case 180:
      return { width, height, transform: `translate(${width}px, ${height}px) rotate(180deg)` };
    case 270:
      return { width: height, height: width, transform: `translate(0, ${height}px) rotate(-90deg)` };
    default:
      return { width, height, transform: "none" };
  }
}

/**
 * @typedef {{width: number, height: number, window: [number, number, number, number],
 *   across: [number, number][], down: [number, number][]}} Wall as billboard/walls.py says it
 */

/**
 * A picture over several displays, so that this one shows its window.
 * @param {{width: number, height: number, transform: string}} display
 * @param {Wall} wall
 * @returns {{width: number, height: number, transform: string, scale: number}} `scale`: CSS px of a
 *   unit of the wall's
 */
export function spanned(display, { width, height, window: [left, top, across] }) {
  const scale = display.width / across;
  const turned = display.transform === "none" ? "" : `${display.transform} `;
  return {
    width: width * scale,
    height: height * scale,
    transform: `${turned}translate(${-left * scale}px, ${-top * scale}px)`,
    scale,
  };
}

/**
 * The sides of a safe area in CSS px.
 * @param {string[]} sides top, right, bottom, left, each like "40px" (of the panel), "3%" or "0"
 * @param {{width: number, height: number}} picture
 * @param {number} pixelRatio
 */
export function insets(sides, picture, pixelRatio) {
  return [0, 1, 2, 3].map((i) => {
    const side = sides[i] ?? "0";
    const size = parseFloat(side) || 0;
    const along = i % 2 ? picture.width : picture.height;
    return side.endsWith("%") ? (size / 100) * along : size / pixelRatio;
  });
}

/**
 * How black the veil over the picture is, 0..1.
 * @param {number[]} brightness percent by hour, 24 of them; fewer count as 100
 * @param {number} hour 0..23
 */
export function veil(brightness, hour) {
  return 1 - (brightness[hour] ?? 100) / 100;
}

/**
 * Where the picture is on its slow path, in whole pixels of the panel: text stays sharp, and no
 * step is larger than one.
 * @param {number} nowMs
 * @param {number} most pixels from the middle
 * @returns {{x: number, y: number}}
 */
export function drift(nowMs, most) {
  const minutes = nowMs / 60_000;
  const at = (/** @type {number} */ period) => Math.sin((2 * Math.PI * minutes) / period) * most;
  return { x: Math.round(at(DRIFT_X_MIN)), y: Math.round(at(DRIFT_Y_MIN)) };
}
