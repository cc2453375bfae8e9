// Where panels meet, a bezel hides a strip of the picture. Pure.

/**
 * @typedef {{left: number, right: number, top: number, bottom: number, weight: number}} Part
 *   of the picture that no seam should cut; the heavier the worse
 * @typedef {{scale: number, x: number, y: number}} Shift from the picture's upper left corner
 * @typedef {{left: number, right: number, top: number, bottom: number}} Sides
 */

/** Down to here the picture may shrink, so that it can be moved aside. */
const SCALE_LEAST = 0.8;
const SCALE_STEP = 0.02;
/** Places that are tried along each side. */
const TRIES = 40;
/** A headline steps out of a seam's way while it keeps so much of its room: large letters are read
 * over a seam. */
export const HEADLINE_LEAST = 0.55;

/**
 * The strips that are hidden along one side of a wall.
 * @param {number} panels along it
 * @param {number} length of it
 * @param {number} bezel width of what lies between two pictures, same unit
 * @returns {[number, number][]}
 */
export function seams(panels, length, bezel) {
  return Array.from({ length: Math.max(0, panels - 1) }, (_, i) => {
    const middle = ((i + 1) * length) / panels;
    return [middle - bezel / 2, middle + bezel / 2];
  });
}

/**
 * How to shrink and move the picture so that seams cut as little as can be; of equal ones the
 * largest picture, and of those the one nearest to the middle.
 * @param {Part[]} parts
 * @param {{width: number, height: number}} size
 * @param {{across: [number, number][], down: [number, number][]}} hidden
 * @returns {Shift}
 */
export function clear(parts, size, { across, down }) {
  let best = { scale: 1, x: 0, y: 0 };
  let least = Infinity;
  for (let scale = 1; scale >= SCALE_LEAST - 1e-9; scale -= SCALE_STEP) {
    // What one side cuts does not depend on where the picture is along the other.
    const x = along(parts, "left", "right", size.width, scale, across);
    const y = along(parts, "top", "bottom", size.height, scale, down);
    const cut = x.cut + y.cut;
    if (cut < least) {
      least = cut;
      best = { scale, x: x.at, y: y.at };
    }
    if (least === 0) break;
  }
  return best;
}

/**
 * The longest part of a length that no strip hides; of equal ones the first.
 * @param {number} length
 * @param {[number, number][]} strips
 * @returns {[number, number]} from where to where
 */
export function longest(length, strips) {
  return stretches(length, strips).reduce((best, each) =>
    each[1] - each[0] > (best[1] - best[0]) * 1.001 ? each : best,
  );
}

/**
 * Where a headline and the small print below it stand in a column: the print as low as no seam cuts
 * it, the headline in what is clear above, or over a seam where that would make it much smaller.
 * @param {{height: number, print: number, foot: number}} column `print` is the height of the small
 *   print, `foot` what is left free below it where there is room
 * @param {[number, number][]} strips
 * @returns {{headline: [number, number], bottom: number}} from the top; where the print ends
 */
export function stack({ height, print, foot }, strips) {
  const clear = stretches(height, strips);
  const under = clear.findLast(([from, to]) => to - from >= print) ?? [0, height];
  // Where there is no room for that, in the middle of what there is.
  const bottom = Math.max((under[0] + under[1] + print) / 2, Math.min(under[1], height - foot));
  const above = bottom - print;
  const [from, to] = longest(above, strips);
  return { headline: to - from >= HEADLINE_LEAST * above ? [from, to] : [0, above], bottom };
}

/**
 * What is clear along a length around a part of it: between two strips, or a strip and an end.
 * @param {number} length @param {[number, number][]} strips @param {[number, number]} part
 */
export function around(length, strips, [low, high]) {
  const shared = (/** @type {[number, number]} */ [from, to]) =>
    Math.min(to, high) - Math.max(from, low);
  return stretches(length, strips).reduce((best, each) => (shared(each) > shared(best) ? each : best));
}

/**
 * Where a box is larger: in its panel, on nothing else, and of such places the nearest to where it is.
 * @param {Sides} box
 * @param {{most: number, least: number}} scale tried from the most downwards; the least is not
 * @param {Sides} panel
 * @param {Sides[]} others
 * @returns {Shift | null} of its upper middle; null where it is no larger anywhere
 */
export function enlarge(box, { most, least }, panel, others) {
  const middle = (box.left + box.right) / 2;
  for (let scale = most; scale > least; scale -= SCALE_STEP) {
    const width = (box.right - box.left) * scale;
    const height = (box.bottom - box.top) * scale;
    const [across, down] = [panel.right - panel.left - width, panel.bottom - panel.top - height];
    if (across < 0 || down < 0) continue;
    /** @type {Shift | null} */
    let best = null;
    for (let i = 0; i <= TRIES; i += 1) {
      for (let j = 0; j <= TRIES; j += 1) {
        const left = panel.left + (across * i) / TRIES;
        const top = panel.top + (down * j) / TRIES;
        const x = left + width / 2 - middle;
        const y = top - box.top;
        if (best && Math.hypot(x, y) >= Math.hypot(best.x, best.y)) continue;
        const place = { left, top, right: left + width, bottom: top + height };
        if (!others.some((other) => overlap(place, other))) best = { scale, x, y };
      }
    }
    if (best) return best;
  }
  return null;
}

/** @param {Sides} one @param {Sides} other */
function overlap(one, other) {
  const across = one.left < other.right && one.right > other.left;
  return across && one.top < other.bottom && one.bottom > other.top;
}

/** Never none: where all is hidden, all of it. @param {number} length
 * @param {[number, number][]} strips @returns {[number, number][]} */
function stretches(length, strips) {
  /** @type {[number, number][]} */
  const found = [];
  let from = 0;
  for (const [low, high] of [...strips].sort(([one], [other]) => one - other)) {
    if (low > from && from < length) found.push([from, Math.min(low, length)]);
    from = Math.max(from, high);
  }
  if (from < length) found.push([from, length]);
  return found.length > 0 ? found : [[0, length]];
}

/**
 * @param {Part[]} parts
 * @param {"left" | "top"} begin
 * @param {"right" | "bottom"} end
 * @param {number} length
 * @param {number} scale
 * @param {[number, number][]} hidden
 */
function along(parts, begin, end, length, scale, hidden) {
  const spare = length * (1 - scale);
  let best = { at: spare / 2, cut: Infinity };
  for (let i = 0; i <= TRIES; i += 1) {
    // From the middle outwards, to either side in turn.
    const off = (Math.ceil(i / 2) / (TRIES / 2)) * (i % 2 ? 1 : -1);
    const at = (spare / 2) * (1 + off);
    let cut = 0;
    for (const part of parts) {
      const [from, to] = [part[begin] * scale + at, part[end] * scale + at];
      if (hidden.some(([low, high]) => from < high && to > low)) cut += part.weight;
    }
    if (cut < best.cut) best = { at, cut };
  }
  return best;
}
