// Where panels meet, a bezel hides a strip of the picture. Pure.

/**
 * @typedef {{left: number, right: number, top: number, bottom: number, weight: number}} Part
 *   of the picture that no seam should cut; the heavier the worse
 * @typedef {{scale: number, x: number, y: number}} Shift from the picture's upper left corner
 */

/** Down to here the picture may shrink, so that it can be moved aside. */
const SCALE_LEAST = 0.8;
const SCALE_STEP = 0.02;
/** Places that are tried along each side. */
const TRIES = 40;

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
