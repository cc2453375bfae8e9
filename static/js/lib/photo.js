// A photo made small enough for a crowd's network, as sharp as the sculptor needs it.

export const LONG_SIDE_PX = 2048;
/** A file up to this size goes as it is, when its sides are short enough too. */
export const LIGHT_BYTES = 1_500_000;

/**
 * Width and height scaled down so that the long side fits.
 * @param {number} width
 * @param {number} height
 * @param {number} [most]
 * @returns {{width: number, height: number}}
 */
export function fit(width, height, most = LONG_SIDE_PX) {
  const scale = Math.min(1, most / Math.max(width, height));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/**
 * The part of a picture that `object-fit: cover` shows in a box.
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} box
 * @returns {{x: number, y: number, width: number, height: number}}
 */
export function covered(picture, box) {
  const scale = Math.max(box.width / picture.width, box.height / picture.height);
  const width = Math.min(picture.width, Math.round(box.width / scale));
  const height = Math.min(picture.height, Math.round(box.height / scale));
  return {
    x: Math.round((picture.width - width) / 2),
    y: Math.round((picture.height - height) / 2),
    width,
    height,
  };
}

/**
 * Whether the server must open this file because browsers mostly cannot.
 * @param {{type: string, name?: string}} file
 */
export function isHeic({ type, name = "" }) {
  return /^image\/hei[cf]/.test(type) || /\.hei[cf]s?$/i.test(name);
}

/**
 * Mean brightness of canvas pixels, 0..1, in perceived steps.
 * Source: Rec. 601 luma, ITU-R BT.601.
 * @param {Uint8ClampedArray} rgba
 * @returns {number}
 */
export function meanLuma(rgba) {
  let sum = 0;
  for (let i = 0; i < rgba.length; i += 4) {
    sum += 0.299 * rgba[i] + 0.587 * rgba[i + 1] + 0.114 * rgba[i + 2];
  }
  return rgba.length ? sum / (rgba.length / 4) / 255 : 0;
}
