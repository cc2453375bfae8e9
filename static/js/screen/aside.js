// Under a seam between panels nothing is read or recognised: the picture makes way (canvas.js), and
// what is still cut then makes way by itself.

import { enlarge, HEADLINE_LEAST, longest, stack } from "../lib/seams.js";

/**
 * @typedef {[number, number][]} Strips 0..1 of a box
 * @typedef {(box: HTMLElement) => import("./canvas.js").Strips} Cuts where seams run through a box
 */

/** Of the code, what is enough to be read: its upper or its lower part. */
const CODE_DOWN = /** @type {[number, number][]} */ ([[0, 0.75], [0.25, 1]]);
/** Of the picture's shorter side, what a code with its quiet zone takes where there is room: a fifth
 * without. */
const CODE_WIDE = 0.265;
/** From it to the picture's ends, and to what stands beside it, in rem. */
const CODE_RIM = 0.18;
const CODE_GAP = 0.1;
/** Of a blister, where faces are. */
const FACE = { across: 0.34, down: /** @type {[number, number]} */ ([0.02, 0.45]) };
/** Of a card: where its face is, half its width from the middle, and where its name begins. */
const FACE_DOWN = [0.1, 0.5];
const FACE_HALF = 0.125;
const NAME_FROM = 0.8;
/** A card that would keep less of a side is cut. */
const CARD_LEAST = 0.55;

/**
 * Moves the picture aside, then the code, the cards and their names.
 * @param {import("./canvas.js").Canvas} canvas
 * @returns {[number, number][]} where the names of small cards are in no seam's way, by cell
 */
export function stepAside(canvas) {
  const cuts = (/** @type {HTMLElement} */ box) => canvas.cuts(box);
  const line = (/** @type {HTMLElement} */ box) => longest(1, cuts(box).across);
  const text = { across: 0, weight: 1 };
  // 1. All together
  canvas.clear([
    // Of a code that must be cut there is at least a large part beside the seam, for step 2.
    ...all(".qr").flatMap((box) => CODE_DOWN.map((down) => ({ box, down, weight: 50 }))),
    ...all(".place .is-idle .blister").map((box) => ({ box, ...FACE, weight: 10 })),
    ...all(".place .is-idle .name").map((box) => ({ box, ...text, weight: 4 })),
    ...all(".shelf .is-idle .blister").map((box) => ({ box, ...FACE, weight: 2 })),
    ...all(".place .is-idle .number").map((box) => ({ box, weight: 1 })),
    ...all(".shelf .is-idle .name, .enlist figcaption, .disclosure").map((box) => ({ box, ...text })),
  ]);
  // 2. Each by itself
  all(".enlist").forEach((box) => lower(box, cuts));
  for (const place of all(".place")) {
    const { across, down } = cuts(place);
    trim(place, beside(across), between(down));
    all(".is-idle .name", place).forEach((plate) => narrow(place, line(plate)));
  }
  return all(".shelf .is-idle .name").map(line);
}

/** @param {HTMLElement} place @param {[number, number]} across @param {[number, number]} down what is
 * left of its sides, 0..1 */
function trim(place, [left, right], [top, bottom]) {
  const { offsetLeft, offsetTop, offsetWidth: width, offsetHeight: height } = place;
  place.style.left = `${offsetLeft + left * width}px`;
  place.style.top = `${offsetTop + top * height}px`;
  place.style.width = `${(right - left) * width}px`;
  place.style.height = `${(bottom - top) * height}px`;
}

/** Of a card's width, so that no seam runs through its face. @param {Strips} strips
 * @returns {[number, number]} */
function beside(strips) {
  let [from, to] = [0, 1];
  for (const [low, high] of strips) {
    if (low >= 0.5 + FACE_HALF || high <= 0.5 - FACE_HALF) continue;
    // The face stands in the middle of what is left of the card.
    const [right, left] = [high, 1 - low].map((at) => (at - 0.5 + FACE_HALF) / (0.5 + FACE_HALF));
    if (right < left) from = Math.max(from, right);
    else to = Math.min(to, 1 - left);
  }
  return enough(from, to);
}

/** Of a card's height, so that no seam runs through its face or its name. @param {Strips} strips
 * @returns {[number, number]} */
function between(strips) {
  let [from, to] = [0, 1];
  for (const [low, high] of strips) {
    if (low < FACE_DOWN[1] && high > FACE_DOWN[0]) from = Math.max(from, high);
    if (low < 1 && high > NAME_FROM) to = Math.min(to, low);
  }
  return enough(from, to);
}

/** @param {number} from @param {number} to @returns {[number, number]} */
function enough(from, to) {
  return to - from >= CARD_LEAST ? [from, to] : [0, 1];
}

/** Sets names beside the seams. @param {HTMLElement} around @param {[number, number]} line of their
 * plate, 0..1 */
export function narrow(around, [from, to]) {
  around.style.setProperty("--name-left", `${from * 100}%`);
  around.style.setProperty("--name-right", `${(1 - to) * 100}%`);
}

/** Into the longest part of a line that no seam cuts. @param {HTMLElement} box @param {Cuts} cuts */
export function inset(box, cuts) {
  box.style.margin = ""; // Where it would be without a seam.
  sideways(box, cuts(box).across);
}

/** Into the longest part of its height that no seam cuts. @param {HTMLElement} box @param {Cuts} cuts
 * @returns {number} of its height */
function lower(box, cuts) {
  box.style.transform = "";
  const [from, to] = longest(1, cuts(box).down);
  if (to - from < 1) box.style.transform = `translateY(${from * 100}%) scale(${to - from})`;
  return to - from;
}

/**
 * The picture shrinks for the seams, and a code that a seam would cut once more: it is made larger again
 * where its panel has room, once all else stands.
 * @param {import("./canvas.js").Canvas} canvas
 */
export function enlargeCode(canvas) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const gap = CODE_GAP * rem;
  for (const box of all(".enlist")) {
    const least = lower(box, (each) => canvas.cuts(each));
    const lowered = box.style.transform;
    box.style.transform = "";
    const found = canvas.panelOf(box, CODE_RIM * rem);
    if (!found) continue;
    const { panel, shortPx, at } = found;
    const code = at(/** @type {HTMLElement} */ (box.querySelector(".qr")));
    const most = (CODE_WIDE * shortPx) / (code.right - code.left);
    const others = all(".place, .shelf .is-idle, .disclosure, .language > *")
      .filter(isSeen)
      .map(at)
      .map(({ left, right, top, bottom }) => ({
        left: left - gap,
        right: right + gap,
        top: top - gap,
        bottom: bottom + gap,
      }));
    const larger = enlarge(at(box), { most, least }, panel, others);
    box.style.transform = larger
      ? `translate(${larger.x}px, ${larger.y}px) scale(${larger.scale})`
      : lowered;
  }
}

/** @param {HTMLElement} box */
function isSeen(box) {
  return box.getClientRects().length > 0;
}

/**
 * A column of words: the small print makes way always, the headline where that leaves it large.
 * @param {HTMLElement} column
 * @param {Cuts} cuts
 */
export function settleColumn(column, cuts) {
  const parts = /** @type {HTMLElement[]} */ ([...column.children]);
  const [headline, ...small] = parts;
  for (const box of [column, ...parts]) box.style.padding = box.style.margin = "";
  const { across, down } = cuts(column);
  if (across.length + down.length === 0) return;
  // 1. Aside
  const [from, to] = longest(1, across);
  for (const box of to - from >= HEADLINE_LEAST ? parts : small) sideways(box, across);
  // 2. Up and down
  const { clientHeight: height } = column;
  const foot = parseFloat(getComputedStyle(column).paddingBottom);
  const { marginTop, marginBottom } = getComputedStyle(headline);
  const above = headline.offsetTop - column.offsetTop + headline.offsetHeight + parseFloat(marginBottom);
  const print = height - foot - above;
  const strips = down.map(([a, b]) => /** @type {[number, number]} */ ([a * height, b * height]));
  const found = stack({ height, print, foot }, strips);
  column.style.paddingBottom = `${height - found.bottom}px`;
  const [top, bottom] = found.headline;
  headline.style.marginTop = `${Math.max(parseFloat(marginTop), top)}px`;
  headline.style.marginBottom = `${Math.max(parseFloat(marginBottom), found.bottom - print - bottom)}px`;
}

/** @param {HTMLElement} box @param {Strips} strips */
function sideways(box, strips) {
  const [from, to] = longest(1, strips);
  box.style.marginLeft = `${from * 100}%`;
  box.style.marginRight = `${(1 - to) * 100}%`;
}

/** @param {string} selector @param {ParentNode} [within] */
function all(selector, within = document) {
  return /** @type {HTMLElement[]} */ ([...within.querySelectorAll(selector)]);
}
