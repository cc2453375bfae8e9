// One boxed toy of the page: made, filled, set to size, and taken away without a trace.

import { stand } from "../lib/bounds.js";

/**
 * @typedef {import("../lib/feed.js").Item} Item
 * @typedef {import("../lib/pictures.js").Picture} Picture
 */

/** Scripts whose letters join: they are never spaced out. Source: Unicode 16, section 9.2. */
const JOINED = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Nko}]/u;

/** Of a plate's height, what letters take at most: accents, and some scripts, reach far. */
const INK_MOST = 0.84;
/** Of two lines each is so much less high than one, with air between them. */
const LINES_APART = 2.35;
/** A name is broken where its letters become so much larger. */
const TWO_LINES_FROM = 1.1;
/** Scripts whose lines end anywhere, with no heed to words. */
const ANYWHERE = "[\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Hang}]";
/** What belongs to the letter before, and begins no line. */
const BOUND = "[\\p{Mark}・ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ]";
/** Where a second line may begin. Source: Unicode 16, annex 14 (SP; ID, H2, H3; CJ, NS, CM). */
const BREAKS = new RegExp(` |(?<=${ANYWHERE})(?=${ANYWHERE})(?!${BOUND})`, "gu");
/** The tail of a comma lifts no name. */
const MARKS = /[^\p{Letter}\p{Mark}\p{Number}]/gu;

const numbers = new Intl.NumberFormat("en", { minimumIntegerDigits: 5 });

export class Cards {
  #template = /** @type {HTMLTemplateElement} */ (element("#card"));
  /** @type {WeakMap<HTMLElement, Picture>} */
  #pictures = new WeakMap();

  /** @param {Item} item @param {Picture} picture */
  make(item, picture) {
    const copy = document.importNode(this.#template.content, true);
    const card = /** @type {HTMLElement} */ (copy.firstElementChild);
    const number = `No. ${numbers.format(item.number)}`;
    card.dataset.submission = item.submission;
    card.dataset.seq = String(item.seq);
    element(".number", card).textContent = number;
    const name = element(".name span", card);
    name.textContent = name.dataset.name = item.plaque || number;
    name.classList.toggle("is-joined", JOINED.test(item.plaque));
    card.classList.toggle("is-nameless", item.plaque === "");
    figure(card).src = picture.url;
    this.#pictures.set(card, picture);
    return card;
  }

  /** Puts the figurine on the floor of its blister and sets the name as large as it fits. */
  arrange(/** @type {HTMLElement} */ card) {
    const picture = this.#pictures.get(card);
    const floor = element(".floor", card);
    if (!picture || floor.clientWidth === 0) return;
    const place = stand(picture.solid, picture.aspect, {
      width: floor.clientWidth,
      height: floor.clientHeight,
    });
    // The film is taken as the picture was: where one stands, so does the other.
    const film = card.querySelector(".film");
    for (const [side, length] of Object.entries(place)) {
      figure(card).style.setProperty(side, `${length}px`);
      if (film instanceof HTMLElement) film.style.setProperty(side, `${length}px`);
    }
    engrave(element(".name", card));
    fit(element(".brand", card));
  }
}

/** @param {HTMLElement} card */
export function erase(card) {
  for (const film of card.querySelectorAll("video")) unload(film);
  figure(card).removeAttribute("src");
  card.remove();
}

/** Nothing of it is decoded or drawn any more. @param {HTMLVideoElement} film */
export function unload(film) {
  film.pause();
  film.removeAttribute("src");
  film.load();
}

/** Longer than the picture takes to come back in screen_card.css. */
const SETTLE_MS = 900;

/**
 * Takes a film off without a moment of nobody: it stops where it is, the picture comes back over it
 * as soon as it is decoded once more, and only then the film goes.
 * @param {HTMLVideoElement} film
 */
export async function settleFilm(film) {
  film.pause();
  const pane = film.parentElement;
  const card = /** @type {HTMLElement | null} */ (film.closest(".card"));
  const isSeen = card !== null && card.dataset.moves !== undefined;
  if (card && isSeen) {
    await figure(card).decode().catch(() => {}); // Taken down meanwhile.
    card.dataset.moves = "ends";
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }
  unload(film);
  pane?.remove();
  if (card?.dataset.moves === "ends") delete card.dataset.moves;
}

/** @param {HTMLVideoElement} film */
export function firstFrame(film) {
  return new Promise((drawn) => film.requestVideoFrameCallback(drawn));
}

/** Makes an only child as large as its parent holds, and no larger than told.
 * @param {Element} box @param {number} [most] of its own size @returns {number} of its own size */
export function fit(box, most = 1) {
  const words = /** @type {HTMLElement} */ (box.firstElementChild);
  if (words.offsetWidth === 0) return 1;
  words.style.setProperty("--fit", "1");
  const style = getComputedStyle(box);
  const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const size = Math.min(most, room / words.offsetWidth);
  words.style.setProperty("--fit", String(size));
  return size;
}

/** Sets a name as large as its plate holds, in two lines where that is larger, and in its middle by
 * what is drawn of it: a line is as high for capitals as for what has an accent above or a tail below.
 * @param {HTMLElement} plate */
function engrave(plate) {
  const words = /** @type {HTMLElement} */ (plate.firstElementChild);
  const canvas = document.createElement("canvas").getContext("2d");
  if (!canvas) return;
  const { name = "" } = words.dataset;
  setName(words, name);
  words.style.setProperty("--fit", "1");
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(words);
  canvas.font = `${fontWeight} 100px ${fontFamily}`;
  const width = (/** @type {string} */ text) => canvas.measureText(text.toLocaleUpperCase()).width;
  const capitals = name.toLocaleUpperCase();
  const ink = canvas.measureText(capitals.replace(MARKS, "") || capitals);
  const [above, below] = [ink.actualBoundingBoxAscent / 100, ink.actualBoundingBoxDescent / 100];
  const baseline = (ink.fontBoundingBoxAscent - ink.fontBoundingBoxDescent) / 200;
  words.style.setProperty("--lift", `${(above - below) / 2 - baseline}em`);
  const most = plate.clientHeight / ((above + below) * parseFloat(fontSize));
  const inOne = fit(plate, Math.min(1, most * INK_MOST));
  const [broken] = breaks(name).sort((a, b) => longest(a, width) - longest(b, width));
  if (!broken) return;
  setName(words, broken);
  if (fit(plate, (most * INK_MOST) / LINES_APART) >= inOne * TWO_LINES_FROM) return;
  setName(words, name);
  words.style.setProperty("--fit", String(inOne));
}

/** @param {HTMLElement} words @param {string} name with a line feed where a second line begins */
function setName(words, name) {
  words.textContent = name;
  words.classList.toggle("is-broken", name.includes("\n"));
}

/** Every way to set a name in two lines. @param {string} name */
function breaks(name) {
  const gaps = [...name.matchAll(BREAKS)];
  return gaps.map(({ 0: gap, index }) => `${name.slice(0, index)}\n${name.slice(index + gap.length)}`);
}

/** @param {string} lines @param {(line: string) => number} width */
function longest(lines, width) {
  return Math.max(...lines.split("\n").map(width));
}

/** @param {HTMLElement} card */
export function figure(card) {
  return /** @type {HTMLImageElement} */ (element(".figure", card));
}

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement} */
export function element(selector, within = document) {
  const found = within.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`${selector} is missing from the page`);
  return found;
}
