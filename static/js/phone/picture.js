// What needs a canvas: reading a chosen file, and stills of the camera.

import { LIGHT_BYTES, covered, fit, isHeic } from "../lib/photo.js";

const JPEG_QUALITY = 0.92;

/**
 * What to upload for a chosen file: its bytes when it is light or a browser cannot show it (the
 * server has the last word), else an upright JPEG with LONG_SIDE_PX at most. The bytes are copied,
 * because a cloud's file may be gone when it is sent. Rejects when they cannot be read.
 * @param {Blob & {name?: string}} file
 * @returns {Promise<Blob>}
 */
export async function lightened(file) {
  const held = new Blob([await file.arrayBuffer()], { type: file.type });
  if (isHeic(file)) return held;
  const bitmap = await decoded(held);
  if (!bitmap) return held;
  const size = fit(bitmap.width, bitmap.height);
  if (size.width === bitmap.width && held.size <= LIGHT_BYTES) {
    bitmap.close();
    return held;
  }
  const jpeg = await drawn(bitmap, { x: 0, y: 0, width: bitmap.width, height: bitmap.height });
  bitmap.close();
  return jpeg && jpeg.size < held.size ? jpeg : held;
}

/**
 * One still of a playing video, cut to what its box shows.
 * @param {HTMLVideoElement} video
 * @returns {Promise<Blob>}
 */
export async function snapped(video) {
  const box = { width: video.clientWidth, height: video.clientHeight };
  const jpeg = await drawn(video, covered({ width: video.videoWidth, height: video.videoHeight }, box));
  if (!jpeg) throw new Error("the canvas gave no picture");
  return jpeg;
}

/**
 * @param {Blob} file
 * @returns {Promise<ImageBitmap | null>}  upright, or null where this browser cannot read it
 */
async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

/**
 * @param {CanvasImageSource} source
 * @param {{x: number, y: number, width: number, height: number}} part
 * @returns {Promise<Blob | null>}
 */
function drawn(source, part) {
  const size = fit(part.width, part.height);
  const canvas = document.createElement("canvas");
  canvas.width = size.width;
  canvas.height = size.height;
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  brush.imageSmoothingQuality = "high";
  brush.drawImage(source, part.x, part.y, part.width, part.height, 0, 0, size.width, size.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
}
