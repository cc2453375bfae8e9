// Looks at the page several times a second, and has it loaded anew when it is ill.

import { Meter } from "../lib/meter.js";
import { Watch } from "../lib/watch.js";

const EVERY_MS = 1000;
/** No part of a second: slots are whole ones, and would be met at the same moment of a change each time. */
const LOOK_EVERY_MS = 270;
/** Below this a card is as good as not there. */
const OPACITY_LEAST = 0.2;
const SIZE_LEAST_PX = 8;
/** Of a place's side: a card may stand so far within it. */
const RIM = 0.2;

/** @typedef {{usedJSHeapSize: number, jsHeapSizeLimit: number}} Heap */

/**
 * @param {{renew: (why: string) => void, isQuiet: () => boolean}} world
 *   `isQuiet` says whether this is a moment for a load that nothing asks for
 */
export function watchOver({ renew, isQuiet }) {
  const watch = new Watch({ nowMs: performance.now() });
  const meter = new Meter({ nowMs: performance.now() });
  const frame = () => {
    watch.drew(performance.now());
    meter.drew(performance.now());
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  let isSomethingSeen = true; // Nobody has looked yet.
  const look = () => (isSomethingSeen ||= !isBlank());
  setInterval(look, LOOK_EVERY_MS);
  setInterval(() => {
    look();
    meter.see(document.querySelectorAll("video"));
    const why = watch.judge({
      nowMs: performance.now(),
      isVisible: document.visibilityState === "visible",
      isBlank: !isSomethingSeen,
      heap: heap(),
      wall: new Date(),
    });
    isSomethingSeen = false;
    if (why === "blank") clear();
    if (why && (why !== "night" || isQuiet())) renew(why);
  }, EVERY_MS);
  return {
    /** Whether frames come. */
    isDrawing: () => watch.isDrawing(performance.now()),
    /** What the screen says of itself; null where the browser does not tell. */
    vitals: () => ({
      is_drawing: watch.isShowing(performance.now()),
      fps: meter.fps(performance.now()),
      dropped_frames: meter.dropped,
      heap_mb: megabytes(heap()?.usedJSHeapSize ?? null),
      up_s: Math.round(performance.now() / 1000),
    }),
  };
}

/** Chromium's own, and no measure of decoded pictures; the standard one needs isolation. */
function heap() {
  return /** @type {{memory?: Heap}} */ (performance).memory ?? null;
}

/** @param {number | null} bytes */
export function megabytes(bytes) {
  return bytes === null ? null : Math.round(bytes / 2 ** 20);
}

/** Whether a place shows nothing: neither who is on there nor, with nobody on, the box that waits for
 * them. */
export function isBlank() {
  const all = places();
  return all.length === 0 || !all.filter(isHere).every(isPeopled);
}

/** Whether a place is on this display, which may show a part of the picture only.
 * @param {HTMLElement} place */
function isHere(place) {
  if (!document.body.dataset.wall) return true;
  const { left, right, top, bottom } = place.getBoundingClientRect();
  const isIn = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ size) =>
    to - RIM * (to - from) > 0 && from + RIM * (to - from) < size;
  return isIn(left, right, innerWidth) && isIn(top, bottom, innerHeight);
}

/** @param {HTMLElement} place */
function isPeopled(place) {
  // Who leaves is still there while the next one turns in.
  const on = place.dataset.is === "taken" ? '.card[data-state="on"], .card[data-state="leaving"]' : ".card.is-idle";
  return [...place.querySelectorAll(on)].some(isSeen);
}

/** Takes away what lies there unseen: the box of nobody is under it, until the page is anew. */
function clear() {
  for (const place of places().filter((each) => isHere(each) && !isPeopled(each))) {
    for (const card of place.querySelectorAll("[data-submission]")) card.remove();
    place.dataset.is = "empty";
  }
}

/** @returns {HTMLElement[]} */
function places() {
  return [...document.querySelectorAll(".place")].filter((place) => place instanceof HTMLElement);
}

/** @param {Element} card */
function isSeen(card) {
  const { width, height, right, bottom, left, top } = card.getBoundingClientRect();
  if (width < SIZE_LEAST_PX || height < SIZE_LEAST_PX) return false;
  if (right <= 0 || bottom <= 0 || left >= innerWidth || top >= innerHeight) return false;
  if (!card.checkVisibility({ visibilityProperty: true })) return false;
  for (let part = /** @type {Element | null} */ (card); part; part = part.parentElement) {
    if (Number(getComputedStyle(part).opacity) < OPACITY_LEAST) return false;
  }
  const picture = card.querySelector("img.figure");
  return !(picture instanceof HTMLImageElement) || (picture.complete && picture.naturalWidth > 0);
}
