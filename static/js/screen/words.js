// What stands beside the figurines: the campaign's words, in each language in its turn, and the count.

import { arrange } from "../lib/headline.js";
import { inset, settleColumn } from "./aside.js";

/** How long a language stays: long enough to read it twice. */
const TURN_MS = 12_000;
/** These write no spaces between words. */
const UNSPACED = /^(ja|zh|yue|th|lo|km|my)\b/;
/** Japanese particles and endings never begin a line. */
const ENDING = /^\p{Script=Hiragana}+$/u;

export class Words {
  #told = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-language]"));
  #turn = 0;
  #cuts;

  /** @param {import("./aside.js").Cuts} cuts */
  constructor(cuts) {
    this.#cuts = cuts;
    lines().forEach(split);
    const languages = new Set([...this.#told].map(({ dataset }) => dataset.language)).size;
    this.#tell(0);
    if (languages > 1) setInterval(() => this.#tell((this.#turn + 1) % languages), TURN_MS);
  }

  /** @param {number} turn */
  #tell(turn) {
    this.#turn = turn;
    for (const each of this.#told) {
      each.classList.toggle("is-told", each.dataset.language === String(turn));
    }
  }

  /** Sets every line of words as large as its box holds, beside the seams. */
  arrange() {
    for (const column of all(".language")) settleColumn(column, this.#cuts);
    for (const line of all(".disclosure, .caption")) inset(line, this.#cuts);
    lines().forEach(arrangeLine);
  }

  /** Says how many there are; nobody is nothing to say. @param {number} count @returns {boolean} whether
   * all was arranged anew for it */
  tally(count) {
    let isNew = false;
    for (const line of document.querySelectorAll("[data-part=count]")) {
      if (!(line instanceof HTMLElement)) continue;
      const numbers = new Intl.NumberFormat(language(line));
      const said = (line.dataset.words ?? "").replace("{}", numbers.format(count));
      isNew ||= line.hidden !== (count === 0);
      line.hidden = count === 0;
      line.textContent = said;
    }
    if (isNew) this.arrange();
    return isNew;
  }
}

/** The headline and the words at the code, in every language. */
function lines() {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-part=line]")]);
}

/** @param {string} selector */
function all(selector) {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll(selector)]);
}

/** What the browser takes: of a tag that it does not, as `zh-yue`, the language alone.
 * @param {HTMLElement} within */
function language(within) {
  const tag = within.closest("[lang]")?.getAttribute("lang") || "en";
  try {
    Intl.getCanonicalLocales(tag);
    return tag;
  } catch {
    return tag.split("-")[0];
  }
}

/** Makes words of a line that has no spaces. Marks and endings stay with the word before. @param {HTMLElement} line */
function split(line) {
  if (!UNSPACED.test(language(line))) return;
  const text = (line.textContent ?? "").trim();
  /** @type {string[]} */
  const words = [];
  for (const { segment, isWordLike } of new Intl.Segmenter(language(line), {
    granularity: "word",
  }).segment(text)) {
    const isEnding = !isWordLike || ENDING.test(segment);
    if (!isEnding || words.length === 0) words.push(segment);
    else words[words.length - 1] += segment;
  }
  line.replaceChildren(
    ...words.map((word, i) => {
      const span = document.createElement("span");
      span.textContent = word;
      span.classList.toggle("signal", i === words.length - 1);
      return span;
    }),
  );
}

/** Sets a line as large as its box holds. @param {HTMLElement} line */
export function arrangeLine(line) {
  const words = [...line.querySelectorAll("span")];
  const style = getComputedStyle(line);
  const canvas = document.createElement("canvas").getContext("2d");
  if (!canvas || words.length === 0) return;
  const lang = language(line);
  canvas.font = `${style.fontWeight} 100px ${style.fontFamily}`;
  // The measures leave the tracking out; it is negative in the look and so on the safe side.
  const widths = words.map(
    (word) => canvas.measureText(word.textContent?.toLocaleUpperCase(lang) ?? "").width,
  );
  const { lines, size } = arrange(
    widths.map((width) => width / 100),
    {
      width: line.clientWidth,
      height: line.clientHeight,
      lineHeight: parseFloat(style.getPropertyValue("--leading")),
      space: UNSPACED.test(lang) ? 0 : canvas.measureText(" ").width / 100,
    },
  );
  line.style.setProperty("--size", `${size}px`);
  const starts = new Set(lines.map(([first]) => first));
  words.forEach((word, i) => word.classList.toggle("starts-line", i > 0 && starts.has(i)));
}
