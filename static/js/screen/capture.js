// Photographs the page: what stands on it now, as it stands there, into a picture of any size.
//
// The page is copied (its elements, where an animation has them just now, the pixels of its very
// pictures and films) into an SVG that Chromium draws onto a canvas. Nothing is told to it: what is
// hidden, broken or not loaded on the page is not in the copy either (docs/on-now.md).

/**
 * @typedef {{submission: string, seq: number, isLarge: boolean}} Seen whose card is in the picture
 * @typedef {{blob: Blob, on: Seen[]}} Capture
 */

const SVG = "http://www.w3.org/2000/svg";
const WEBP = "image/webp";
/** Pictures are encoded a little larger than they are drawn: they are drawn twice. */
const SPARE = 1.5;
const NO_PICTURE = "script, template, link, style";
/** While one file hangs no other picture of the page is taken. */
const ANSWER_MS = 10_000;
/** Whatever moves is where it is: an SVG begins its animations anew. */
const STILL = "*,*::before,*::after{animation:none!important;transition:none!important}";
/** No XML can say these; nobody's plaque needs them. Source: XML 1.0, section 2.2. */
const UNSAYABLE = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

export class Camera {
  /** The page's style sheets, with all that they load in them. @type {Promise<string> | null} */
  #styles = null;
  #fonts = 0;
  /** Pictures as they were encoded: they stand there for many captures.
   * @type {WeakMap<HTMLImageElement, {key: string, url: string}>} */
  #encoded = new WeakMap();

  /** Whether something moves that will be at rest a moment later. The veil takes a minute. */
  get isRestless() {
    return moving().some((target) => target.closest(".veil") === null);
  }

  /** @param {{widthPx: number, quality?: number}} wanted @returns {Promise<Capture>} */
  async take({ widthPx, quality = 0.75 }) {
    const css = await this.#load();
    const scale = widthPx / innerWidth;
    const { svg, on } = this.#copy(css, scale);
    const picture = new Image();
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
    await picture.decode();
    const canvas = canvasOf(widthPx, innerHeight * scale);
    paint(canvas, picture);
    const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ resolve) =>
      canvas.toBlob(resolve, WEBP, quality),
    );
    if (!blob) throw new Error("no picture");
    return { blob, on };
  }

  #load() {
    const fonts = [...document.fonts].filter(({ status }) => status === "loaded").length;
    if (!this.#styles || fonts !== this.#fonts) {
      this.#styles = styles();
      this.#styles.catch(() => (this.#styles = null)); // No network: the next capture tries again.
    }
    this.#fonts = fonts;
    return this.#styles;
  }

  /** @param {string} css @param {number} scale */
  #copy(css, scale) {
    const root = document.documentElement;
    const svg = document.createElementNS(SVG, "svg");
    for (const { name, value } of root.attributes) {
      // Said word for word the page's own policy would refuse it, aloud, at every picture.
      if (name === "style") svg.style.cssText = value;
      else svg.setAttribute(name, value);
    }
    svg.setAttribute("viewBox", `0 0 ${innerWidth} ${innerHeight}`);
    svg.setAttribute("width", String(innerWidth * scale));
    svg.setAttribute("height", String(innerHeight * scale));
    const style = document.createElementNS(SVG, "style");
    style.textContent = css;
    const page = document.createElementNS(SVG, "foreignObject");
    page.setAttribute("width", "100%");
    page.setAttribute("height", "100%");
    const body = /** @type {HTMLElement} */ (document.body.cloneNode(true));
    body.lang = root.lang;
    this.#finish(body, scale);
    page.append(body);
    svg.append(style, page);
    const cards = /** @type {HTMLElement[]} */ ([...body.querySelectorAll(".card[data-submission]")]);
    const on = cards.map((card) => ({
      submission: card.dataset.submission ?? "",
      seq: Number(card.dataset.seq),
      isLarge: card.closest(".place") !== null,
    }));
    return { svg: new XMLSerializer().serializeToString(svg).replace(UNSAYABLE, ""), on };
  }

  /** Makes a clone of the body what the body looks like. @param {HTMLElement} copy @param {number} scale */
  #finish(copy, scale) {
    const moved = new Set(moving());
    const twins = [...copy.querySelectorAll("*")];
    /** @type {Element | null} */
    let left = null;
    [...document.body.querySelectorAll("*")].forEach((original, i) => {
      if (left?.contains(original)) return;
      const twin = twins[i];
      const { opacity, display, visibility, transform } = getComputedStyle(original);
      const isUnseen = opacity === "0" || display === "none" || visibility === "hidden";
      if (isUnseen || original.matches(NO_PICTURE)) {
        left = original;
        twin.remove();
        return;
      }
      if (moved.has(original) && twin instanceof HTMLElement) {
        Object.assign(twin.style, { opacity, transform });
      }
      if (original instanceof HTMLImageElement) this.#still(original, twin, scale);
      if (original instanceof HTMLVideoElement) frame(original, twin, scale);
    });
  }

  /** @param {HTMLImageElement} picture @param {Element} twin @param {number} scale */
  #still(picture, twin, scale) {
    twin.removeAttribute("alt");
    twin.removeAttribute("src");
    if (!picture.complete || picture.naturalWidth === 0) return;
    const [width, height] = drawnSize(picture, scale);
    const key = `${picture.currentSrc} ${width} ${height}`;
    let known = this.#encoded.get(picture);
    if (known?.key !== key) {
      known = { key, url: encoded(picture, width, height) };
      this.#encoded.set(picture, known);
    }
    twin.setAttribute("src", known.url);
  }
}

/** Elements that an animation or a transition has in its hands, at its end too. @returns {Element[]} */
function moving() {
  return document.getAnimations().flatMap(({ effect }) => {
    const { target, pseudoElement } = /** @type {KeyframeEffect} */ (effect);
    return target && !pseudoElement ? [target] : [];
  });
}

/** The frame that a film is at. @param {HTMLVideoElement} film @param {Element} twin @param {number} scale */
function frame(film, twin, scale) {
  const still = document.createElement("img");
  still.className = film.className;
  still.style.cssText = film.style.cssText;
  if (film.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
    still.src = encoded(film, ...drawnSize(film, scale));
  }
  twin.replaceWith(still);
}

/** @param {Element} box @param {number} scale @returns {[number, number]} */
function drawnSize(box, scale) {
  const { width, height } = box.getBoundingClientRect();
  return [Math.ceil(width * scale * SPARE), Math.ceil(height * scale * SPARE)];
}

/** @param {HTMLImageElement | HTMLVideoElement} source @param {number} width @param {number} height */
function encoded(source, width, height) {
  const canvas = canvasOf(width, height);
  paint(canvas, source);
  return canvas.toDataURL();
}

/** @param {number} width @param {number} height */
function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  return canvas;
}

/** @param {HTMLCanvasElement} canvas @param {CanvasImageSource} source */
function paint(canvas, source) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  context.imageSmoothingQuality = "medium";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
}

/** All rules of the page with their fonts and pictures in them: an SVG loads nothing. */
async function styles() {
  const addresses = [...document.styleSheets].flatMap(({ href }) => href ?? []);
  const sheets = await Promise.all(addresses.map(async (href) => ({ href, css: await text(href) })));
  // The set of fonts is in the order of their rules. What no letter needed is left out.
  const fonts = [...document.fonts].map(({ status }) => status === "loaded");
  const used = sheets.map(({ href, css }) => ({
    href,
    css: css.replace(/@font-face\s*{[^}]*}/g, (rule) => (fonts.shift() ? rule : "")),
  }));
  return (await Promise.all([...used.map(whole), STILL])).join("\n");
}

/** @param {{href: string, css: string}} sheet */
async function whole({ href, css }) {
  const links = [...new Set(css.match(/url\([^)]+\)/g))];
  for (const link of links) {
    const address = new URL(link.slice(4, -1).replaceAll(/["']/g, ""), href);
    css = css.replaceAll(link, `url("${await asData(address.href)}")`);
  }
  return css;
}

/** @param {string} address */
async function got(address) {
  const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response;
}

/** @param {string} address */
async function text(address) {
  return (await got(address)).text();
}

/** @param {string} address @returns {Promise<string>} */
async function asData(address) {
  const blob = await (await got(address)).blob();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
