// Where in a cut-out the figurine is, and where it stands in its blister.

/** @typedef {{left: number, top: number, width: number, height: number}} Box */

/** Alpha from which a pixel counts as figurine; below lie soft edges and shadows. */
const SOLID = 24;

/**
 * The smallest box around all solid pixels, in parts of the picture's width and height (0..1).
 * A picture without any is taken whole.
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @returns {Box}
 */
export function solidBox(rgba, width, height) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (rgba[(y * width + x) * 4 + 3] < SOLID) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  if (right === 0) return { left: 0, top: 0, width: 1, height: 1 };
  return {
    left: left / width,
    top: top / height,
    width: (right - left) / width,
    height: (bottom - top) / height,
  };
}

/**
 * Where to put the whole picture so that its figurine fills `area`, feet on the floor, in the
 * middle. All in the units of `area`; `aspect` is the picture's width by height.
 * @param {Box} solid as of solidBox
 * @param {number} aspect
 * @param {{width: number, height: number}} area
 * @returns {Box}
 */
export function stand(solid, aspect, area) {
  const height = Math.min(area.height / solid.height, area.width / (solid.width * aspect));
  const width = height * aspect;
  return {
    left: area.width / 2 - (solid.left + solid.width / 2) * width,
    top: area.height - (solid.top + solid.height) * height,
    width,
    height,
  };
}
