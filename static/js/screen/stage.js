// What is drawn: the large cards, the small ones, the words. Knows the page and nothing else.

import {
  CELL_CARD,
  HERO_CARD,
  SHELF_CARD,
  UPRIGHT_CELL_CARD,
  UPRIGHT_HERO_CARD,
  shelve,
  spread,
} from "../lib/layouts.js";
import { enlargeCode, narrow, stepAside } from "./aside.js";
import { Canvas } from "./canvas.js";
import { Cards, element, erase, figure, firstFrame, fit, settleFilm } from "./card.js";
import { cut } from "./dissolve.js";
import { Words } from "./words.js";

/**
 * @typedef {import("../lib/feed.js").Item} Item
 * @typedef {import("../lib/layouts.js").Layout} Layout
 * @typedef {import("../lib/layouts.js").Rect} Rect
 * @typedef {import("../lib/pictures.js").Picture} Picture
 */

/** Longer than any animation in screen_card.css; a card that left is then taken out of the page. */
const LEAVE_MS = 900;
/** So much of a place on this display is a play of it, where others show the rest of the picture. */
const PART_LEAST = 0.1;
/** Between cards, in rem. */
const GAP = 0.26;
/** A large and a small card as screen_card.css draws them, in rem; others are these, zoomed. */
const LARGE = { width: 8.36, height: 9.84 };
const SMALL = { width: 2.4, height: 3.42 };
export class Stage {
  /** Called when the layout becomes another. @type {(layout: Layout) => void} */
  onLayout = () => {};
  #places = element("[data-part=places]");
  #shelf = element("[data-part=shelf]");
  #cards = new Cards();
  /** @type {Map<HTMLElement, HTMLElement>} the cards that are on, by place */
  #on = new Map();
  /** @type {Map<string, HTMLElement>} small cards by submission */
  #small = new Map();
  /** @type {(Rect & {name: [number, number]})[]} where those stand, and their name on its plate */
  #cells = [];
  #canvas = new Canvas(() => this.#settle());
  #words = new Words((box) => this.#canvas.cuts(box));
  #settled = "";

  constructor() {
    this.#settle();
    document.fonts.addEventListener("loadingdone", () => this.#arrangeAll());
  }

  /** How many are shown, and how. */
  get layout() {
    return this.#canvas.layout;
  }

  /** @param {import("../lib/orders.js").State} state */
  obey(state) {
    this.#canvas.obey(state);
  }

  /** Whether others show the rest of the picture. */
  get isPart() {
    return this.#canvas.isPart;
  }

  /** Whether a part of a place that counts is on this display. @param {number} place */
  sees(place) {
    if (!this.isPart) return true;
    const { left, right, top, bottom, width, height } = this.#place(place).getBoundingClientRect();
    const across = Math.min(right, innerWidth) - Math.max(left, 0);
    const down = Math.min(bottom, innerHeight) - Math.max(top, 0);
    return across > 0 && down > 0 && across * down >= PART_LEAST * width * height;
  }

  /** Into so many places, where the layout is the shape's own to choose. @param {number} places */
  divide(places) {
    this.#canvas.divide(places);
  }

  /** @param {number} count of all that may be shown */
  tally(count) {
    if (this.#words.tally(count)) enlargeCode(this.#canvas);
  }

  /**
   * Draws a card where nobody sees it, decoded and ready.
   * @param {Item} item
   * @param {Picture} picture
   * @param {number} place counted from 0
   */
  async prepare(item, picture, place = 0) {
    const card = this.#cards.make(item, picture);
    card.dataset.state = "waiting";
    element(".box", this.#place(place)).append(card);
    try {
      await figure(card).decode();
    } catch (error) {
      card.remove();
      throw error;
    }
    this.#cards.arrange(card);
    return card;
  }

  /** Puts a prepared card up; the one before falls off behind it. @param {HTMLElement} card */
  show(card) {
    const place = /** @type {HTMLElement | null} */ (card.closest(".place"));
    if (!place) return; // Cleared away since it was drawn.
    const before = this.#on.get(place);
    if (before) this.#leave(before);
    this.#on.set(place, card);
    card.dataset.state = "on";
    place.dataset.is = "taken";
  }

  /**
   * Lets the figurine that is on move. The film lies under the picture until its first frame is
   * there, and goes again at the first trouble; every card has its own, so that two overlap in a
   * change as their pictures do.
   * @param {string} submission
   * @param {string} url
   */
  async animate(submission, url) {
    const card = [...this.#on.values()].find((on) => on.dataset.submission === submission);
    if (!card || card.querySelector(".film")) return;
    const film = document.createElement("video");
    const pane = document.createElement("div");
    pane.className = "pane";
    pane.append(film);
    film.className = "film";
    film.muted = film.loop = film.playsInline = true;
    film.disableRemotePlayback = true;
    film.addEventListener("error", () => settleFilm(film), { once: true });
    film.src = url;
    element(".blister", card).prepend(pane);
    this.#cards.arrange(card);
    try {
      await film.play();
      await firstFrame(film);
    } catch {
      settleFilm(film);
      return;
    }
    if (card.isConnected && film.isConnected && !film.paused) card.dataset.moves = "";
  }

  /** Every film stops, and the pictures are back over them. */
  still() {
    for (const film of document.querySelectorAll("video.film")) {
      if (film instanceof HTMLVideoElement) settleFilm(film);
    }
  }

  /** Takes a prepared card away that is not wanted any more. @param {HTMLElement} card */
  discard(card) {
    card.remove();
  }

  /** Takes someone off the screen now: by the next frame nothing of theirs is drawn. @param {string} submission */
  remove(submission) {
    cut();
    for (const [place, card] of this.#on) {
      if (card.dataset.submission === submission) this.#vacate(place);
    }
    for (const card of document.querySelectorAll(".card[data-submission]")) {
      if (card instanceof HTMLElement && card.dataset.submission === submission) erase(card);
    }
    this.#small.delete(submission);
  }

  /** @param {HTMLElement} place */
  #vacate(place) {
    this.#on.delete(place);
    place.dataset.is = "empty";
  }

  /** Makes the small cards ready and says how to lay them out, in order, without those whose pictures
   * cannot be drawn. @param {{item: Item, picture: Picture}[]} cards @param {(item: Item) => void} spoil
   * told of those */
  async lay(cards, spoil) {
    const wanted = cards.slice(0, this.#cells.length);
    const ready = await Promise.all(
      wanted.map(async ({ item, picture }) => {
        const known = this.#small.get(item.submission);
        if (known?.dataset.seq === String(item.seq)) return [known];
        const card = this.#cards.make(item, picture);
        try {
          await figure(card).decode();
        } catch {
          spoil(item);
          return [];
        }
        return [card];
      }),
    );
    return () => this.#lay(ready.flat());
  }

  /** @param {HTMLElement[]} cards */
  #lay(cards) {
    const staying = new Set(cards);
    for (const [submission, card] of this.#small) {
      if (staying.has(card)) continue;
      this.#small.delete(submission);
      this.#leave(card);
    }
    cards.forEach((card, i) => {
      this.#putAt(card, i);
      if (!card.isConnected) {
        card.dataset.state = "on";
        element(".box", this.#shelf).append(card);
        this.#small.set(card.dataset.submission ?? "", card);
      }
      this.#cards.arrange(card);
    });
  }

  /** @param {HTMLElement} card @param {number} i */
  #putAt(card, i) {
    card.dataset.cell = String(i);
    const cell = this.#cells[i];
    if (!cell) return;
    card.style.setProperty("--x", `${cell.left}px`);
    card.style.setProperty("--y", `${cell.top}px`);
    narrow(card, cell.name);
  }

  // --- where all stand ------------------------------------------------------------------------

  /** Gives the layout that fits its places, and every place its size. */
  #settle() {
    const { layout } = this;
    const isNew = this.#settled !== JSON.stringify(layout);
    this.#settled = JSON.stringify(layout);
    if (isNew) this.#furnish(layout);
    this.#spread(layout);
    this.#shelve(layout);
    const lines = stepAside(this.#canvas);
    this.#cells.forEach((cell, i) => (cell.name = lines[i]));
    for (const card of this.#small.values()) this.#putAt(card, Number(card.dataset.cell));
    this.#arrangeAll();
    if (isNew) this.onLayout(layout);
  }

  /** As many places and cells as it has, each with its empty box. @param {Layout} layout */
  #furnish({ kind, places, small }) {
    resize(this.#places, places, (left) => {
      this.#vacate(left);
      for (const card of left.querySelectorAll(".card[data-submission]")) {
        if (card instanceof HTMLElement) erase(card);
      }
    });
    const isCell = kind === "mosaic";
    for (const [i, place] of /** @type {HTMLElement[]} */ ([...this.#places.children]).entries()) {
      place.style.viewTransitionName = `place-${i}`;
      place.classList.toggle("cell", isCell);
      place.classList.toggle("hero", !isCell);
      place.firstElementChild?.firstElementChild?.classList.toggle("is-small", isCell);
    }
    const cells = small.columns * small.rows;
    for (const [submission, card] of this.#small) {
      if (Number(card.dataset.cell) < cells) continue;
      this.#small.delete(submission);
      erase(card);
    }
    const box = element(".box", this.#shelf);
    const idle = [...box.querySelectorAll(".is-idle")];
    idle.slice(Math.max(1, cells)).forEach((card) => card.remove());
    for (let i = idle.length; i < cells; i += 1) idle[0].after(idle[0].cloneNode(true));
  }

  /** @param {Layout} layout */
  #spread({ kind, places }) {
    const rem = remPx();
    const { shape } = document.documentElement.dataset;
    const isWide = shape === "landscape" || shape === "ribbon";
    const isCell = kind === "mosaic";
    const wide = isCell ? CELL_CARD : HERO_CARD;
    const card = isWide ? wide : isCell ? UPRIGHT_CELL_CARD : UPRIGHT_HERO_CARD;
    const stage = /** @type {HTMLElement} */ (this.#places.parentElement);
    // Beside the words the places take what they need; over them, all there is.
    const rail = parseFloat(getComputedStyle(stage).getPropertyValue("--rail")) * rem;
    const area = {
      width: isWide ? inner(stage) - rail : this.#places.clientWidth,
      height: this.#places.clientHeight,
    };
    const mayLead = shape === "tower" || shape === "ribbon";
    const { width, height, rects } = spread(places, area, { gap: GAP * rem, ...card, mayLead });
    if (isWide) stage.style.setProperty("--places-width", `${width}px`);
    const left = isWide ? 0 : (area.width - width) / 2;
    const top = (area.height - height) / 2;
    rects.forEach((rect, i) => {
      const place = this.#place(i);
      place.style.left = `${rect.left + left}px`;
      place.style.top = `${rect.top + top}px`;
      place.style.width = `${rect.width}px`;
      place.style.height = `${rect.height}px`;
      const drawn = isCell ? SMALL : LARGE;
      zoom(place, Math.min(rect.width / drawn.width, rect.height / drawn.height) / rem);
    });
  }

  /** @param {Layout} layout */
  #shelve({ small }) {
    const rem = remPx();
    const area = { width: this.#shelf.clientWidth, height: this.#shelf.clientHeight };
    const cells = shelve(small, area, { gap: GAP * rem, ...SHELF_CARD });
    const [first] = cells;
    if (!first) {
      this.#cells = [];
      return;
    }
    const scale = Math.min(first.width / SMALL.width, first.height / SMALL.height) / rem;
    zoom(this.#shelf, scale);
    this.#cells = cells.map(({ left, top, width, height }) => ({
      left: left / scale,
      top: top / scale,
      width: width / scale,
      height: height / scale,
      name: /** @type {[number, number]} */ ([0, 1]),
    }));
    this.#shelf.style.setProperty("--width", `${first.width / scale}px`);
    this.#shelf.style.setProperty("--height", `${first.height / scale}px`);
    const idle = this.#shelf.querySelectorAll(".is-idle");
    idle.forEach((card, i) => card instanceof HTMLElement && this.#putAt(card, i));
  }

  /** @param {number} i */
  #place(i) {
    // A place that went with its layout: what is prepared for it now is not shown.
    const last = this.#places.children.length - 1;
    return /** @type {HTMLElement} */ (this.#places.children[Math.min(i, last)]);
  }

  /** @param {HTMLElement} card */
  #leave(card) {
    card.dataset.state = "leaving";
    setTimeout(() => erase(card), LEAVE_MS);
  }

  #arrangeAll() {
    this.#words.arrange();
    enlargeCode(this.#canvas);
    for (const card of document.querySelectorAll(".card[data-submission]")) {
      if (card instanceof HTMLElement) this.#cards.arrange(card);
    }
    for (const brand of document.querySelectorAll(".brand")) fit(brand);
  }
}

/** Makes as many children of the first as wanted. @param {HTMLElement} parent @param {number} count
 * @param {(child: HTMLElement) => void} onLeave */
function resize(parent, count, onLeave) {
  while (parent.children.length > count) {
    const last = /** @type {HTMLElement} */ (parent.lastElementChild);
    onLeave(last);
    last.remove();
  }
  while (parent.children.length < count) {
    const child = /** @type {HTMLElement} */ (parent.children[0].cloneNode(true));
    child.querySelectorAll("[data-submission]").forEach((card) => card.remove());
    child.dataset.is = "empty";
    parent.append(child);
  }
}

/** @param {HTMLElement} around @param {number} scale */
function zoom(around, scale) {
  element(".box", around).style.setProperty("zoom", String(scale));
}

function remPx() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** Width without padding. @param {HTMLElement} box */
function inner(box) {
  const { paddingLeft, paddingRight } = getComputedStyle(box);
  return box.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
}
