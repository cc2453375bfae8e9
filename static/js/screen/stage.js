// What is drawn: the big card, the small cards, the words. Knows the page and nothing else.

import { stand } from "../lib/bounds.js";
import { arrange } from "../lib/headline.js";

/**
 * @typedef {import("../lib/feed.js").Item} Item
 * @typedef {import("../lib/pictures.js").Picture} Picture
 */

const SHELF_PLACES = 3;
/** Longer than any animation in screen.css; a card that left is then taken out of the page. */
const LEAVE_MS = 900;

const numbers = new Intl.NumberFormat("en", { minimumIntegerDigits: 5 });

export class Stage {
  #hero = element("[data-part=hero]");
  #shelf = element("[data-part=shelf]");
  #cardTemplate = /** @type {HTMLTemplateElement} */ (element("#card"));
  /** @type {HTMLElement | null} the card that is on */
  #card = null;
  /** @type {Map<string, HTMLElement>} small cards by submission */
  #small = new Map();
  /** @type {WeakMap<HTMLElement, Picture>} */
  #pictures = new WeakMap();

  constructor() {
    new ResizeObserver(() => this.#arrangeAll()).observe(document.documentElement);
    document.fonts.addEventListener("loadingdone", () => this.#arrangeAll());
  }

  /** Draws a card where nobody sees it, decoded and ready. @param {Item} item @param {Picture} picture */
  async prepare(item, picture) {
    const card = this.#make(item, picture);
    card.dataset.state = "waiting";
    this.#hero.append(card);
    try {
      await figure(card).decode();
    } catch (error) {
      card.remove();
      throw error;
    }
    this.#arrangeCard(card);
    return card;
  }

  /** Puts a prepared card up; the one before falls off behind it. @param {HTMLElement} card */
  show(card) {
    if (this.#card) this.#leave(this.#card);
    this.#card = card;
    card.dataset.state = "on";
    this.#hero.dataset.is = "taken";
  }

  /**
   * Lets the figurine that is on move. The film lies under the picture until its first frame is
   * there, and goes again at the first trouble; every card has its own, so that two overlap in a
   * change as their pictures do.
   * @param {string} submission
   * @param {string} url
   */
  async animate(submission, url) {
    const card = this.#card;
    if (card?.dataset.submission !== submission || card.querySelector(".film")) return;
    const film = document.createElement("video");
    const stop = () => {
      delete card.dataset.moves;
      unload(film);
      film.parentElement?.remove();
    };
    const pane = document.createElement("div");
    pane.className = "pane";
    pane.append(film);
    film.className = "film";
    film.muted = film.loop = film.playsInline = true;
    film.disableRemotePlayback = true;
    film.addEventListener("error", stop, { once: true });
    film.src = url;
    element(".blister", card).prepend(pane);
    this.#arrangeCard(card);
    try {
      await film.play();
      await firstFrame(film);
    } catch {
      stop();
      return;
    }
    if (card.isConnected && film.isConnected) card.dataset.moves = "";
  }

  /** Takes a prepared card away that is not wanted any more. @param {HTMLElement} card */
  discard(card) {
    card.remove();
  }

  /** Takes someone off the screen now: by the next frame nothing of theirs is drawn. @param {string} submission */
  remove(submission) {
    for (const card of this.#hero.querySelectorAll("[data-submission]")) {
      if (card instanceof HTMLElement && card.dataset.submission === submission) erase(card);
    }
    if (this.#card?.dataset.submission === submission) {
      this.#card = null;
      this.#hero.dataset.is = "empty";
    }
    for (const card of this.#shelf.querySelectorAll("[data-submission]")) {
      if (card instanceof HTMLElement && card.dataset.submission === submission) erase(card);
    }
    this.#small.delete(submission);
  }

  /** Lays the small cards out, in order. @param {{item: Item, picture: Picture}[]} cards */
  async lay(cards) {
    const wanted = cards.slice(0, SHELF_PLACES);
    const ready = await Promise.all(
      wanted.map(async ({ item, picture }) => {
        const known = this.#small.get(item.submission);
        if (known?.dataset.seq === String(item.seq)) return known;
        const card = this.#make(item, picture);
        await figure(card).decode();
        return card;
      }),
    );
    return () => this.#lay(ready);
  }

  /** @param {HTMLElement[]} cards */
  #lay(cards) {
    const staying = new Set(cards);
    for (const [submission, card] of this.#small) {
      if (staying.has(card)) continue;
      this.#small.delete(submission);
      this.#leave(card);
    }
    cards.forEach((card, place) => {
      card.style.setProperty("--place", String(place));
      if (card.isConnected) return;
      card.dataset.state = "on";
      this.#shelf.append(card);
      this.#small.set(card.dataset.submission ?? "", card);
      this.#arrangeCard(card);
    });
  }

  /** @param {Item} item @param {Picture} picture */
  #make(item, picture) {
    const copy = document.importNode(this.#cardTemplate.content, true);
    const card = /** @type {HTMLElement} */ (copy.firstElementChild);
    const number = `No. ${numbers.format(item.number)}`;
    card.dataset.submission = item.submission;
    card.dataset.seq = String(item.seq);
    element(".number", card).textContent = number;
    element(".name span", card).textContent = item.plaque || number;
    card.classList.toggle("is-nameless", item.plaque === "");
    figure(card).src = picture.url;
    this.#pictures.set(card, picture);
    return card;
  }

  /** @param {HTMLElement} card */
  #leave(card) {
    card.dataset.state = "leaving";
    setTimeout(() => erase(card), LEAVE_MS);
  }

  #arrangeAll() {
    arrangeHeadline(element("[data-part=headline]"));
    for (const card of document.querySelectorAll(".card[data-submission]")) {
      if (card instanceof HTMLElement) this.#arrangeCard(card);
    }
    for (const brand of document.querySelectorAll(".brand")) fit(brand);
  }

  /** Puts the figurine on the floor of its blister and sets the name as large as it fits. */
  #arrangeCard(/** @type {HTMLElement} */ card) {
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
    fit(element(".name", card));
    fit(element(".brand", card));
  }
}

/** @param {HTMLElement} card */
function erase(card) {
  for (const film of card.querySelectorAll("video")) unload(film);
  figure(card).removeAttribute("src");
  card.remove();
}

/** Nothing of it is decoded or drawn any more. @param {HTMLVideoElement} film */
function unload(film) {
  film.pause();
  film.removeAttribute("src");
  film.load();
}

/** @param {HTMLVideoElement} film */
function firstFrame(film) {
  return new Promise((drawn) => film.requestVideoFrameCallback(drawn));
}

/** Makes an only child as large as its parent holds in one line. @param {Element} box */
function fit(box) {
  const words = /** @type {HTMLElement} */ (box.firstElementChild);
  if (words.offsetWidth === 0) return;
  words.style.setProperty("--fit", "1");
  const style = getComputedStyle(box);
  const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const ratio = room / words.offsetWidth;
  words.style.setProperty("--fit", String(Math.min(1, ratio)));
}

/** @param {HTMLElement} headline */
function arrangeHeadline(headline) {
  const words = [...headline.querySelectorAll("span")];
  const style = getComputedStyle(headline);
  const canvas = document.createElement("canvas").getContext("2d");
  if (!canvas || words.length === 0) return;
  canvas.font = `${style.fontWeight} 100px ${style.fontFamily}`;
  // The measures leave the tracking out; it is negative in the look and so on the safe side.
  const widths = words.map((word) => canvas.measureText(word.textContent?.toUpperCase() ?? "").width);
  const { lines, size } = arrange(
    widths.map((width) => width / 100),
    {
      width: headline.clientWidth,
      height: headline.clientHeight,
      lineHeight: parseFloat(style.getPropertyValue("--leading")),
      space: canvas.measureText(" ").width / 100,
    },
  );
  headline.style.setProperty("--size", `${size}px`);
  const starts = new Set(lines.map(([first]) => first));
  words.forEach((word, i) => word.classList.toggle("starts-line", i > 0 && starts.has(i)));
}

/** @param {HTMLElement} card */
function figure(card) {
  return /** @type {HTMLImageElement} */ (element(".figure", card));
}

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement} */
function element(selector, within = document) {
  const found = within.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`${selector} is missing from the page`);
  return found;
}
