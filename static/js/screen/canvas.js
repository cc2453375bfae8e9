// The page as it hangs: turned, framed, dimmed, drifting; says which layout fits.

import { DESIGNS, layoutOf, shapeOf } from "../lib/layouts.js";
import { drift, insets, spanned, upright, veil } from "../lib/mount.js";
import { around, clear, seams } from "../lib/seams.js";
import { cut, dissolve } from "./dissolve.js";

/** @typedef {{across: [number, number][], down: [number, number][]}} Strips from where to where */

/** A pixel of drift lasts a minute and more; an hour's brightness begins at most this late. */
const TEND_MS = 15_000;

export class Canvas {
  #canvas = element("[data-part=canvas]");
  #stage = element("[data-part=stage]");
  #veil = element("[data-part=veil]");
  #identify = element("[data-part=identify]");
  /** @type {number | null} Percent that the crew wants; null goes by the hour. */
  #ordered = null;
  #said;
  #onChange;
  #layout;
  #places = 1;
  /** @type {import("../lib/seams.js").Shift} */
  #aside = { scale: 1, x: 0, y: 0 };

  /** @param {() => void} onChange called when the size of anything may have changed */
  constructor(onChange) {
    const said = document.body.dataset;
    this.#said = {
      layout: said.layout ?? "auto",
      rotation: Number(said.rotation ?? 0),
      panels: (said.panels ?? "1 1").split(" ").map(Number),
      bezelPx: Number(said.bezelPx ?? 0),
      safeArea: (said.safeArea ?? "").split(" "),
      brightness: (said.brightness ?? "").split(" ").filter(Boolean).map(Number),
      driftPx: Number(said.driftPx ?? 0),
      /** @type {import("../lib/mount.js").Wall | null} */
      wall: said.wall ? JSON.parse(said.wall) : null,
    };
    this.#onChange = onChange;
    this.#layout = this.#fit();
    this.#tend();
    requestAnimationFrame(() => this.#ease());
    setInterval(() => {
      this.#ease();
      this.#tend();
    }, TEND_MS);
    new ResizeObserver(() => {
      this.#layout = this.#fit();
      this.#onChange();
    }).observe(document.documentElement);
  }

  /** Whether this display shows a part of a picture. */
  get isPart() {
    return this.#said.wall !== null;
  }

  /** The one that fits now. */
  get layout() {
    return this.#layout;
  }

  /** What the crew wants for now. Nothing goes black in between.
   * @param {import("../lib/orders.js").State} state */
  obey({ isBlanked, brightness, layout }) {
    if (isBlanked) cut();
    document.documentElement.toggleAttribute("data-blanked", isBlanked);
    if (brightness !== this.#ordered) {
      this.#ordered = brightness;
      // On a page that has begun; one that begins dark is dark at once.
      if ("eases" in this.#veil.dataset) this.#veil.dataset.eases = "soon";
      this.#tend();
    }
    if (layout === null || layout === this.#said.layout) return;
    this.#said.layout = layout;
    this.#change();
  }

  /** @param {number} places that an "auto" layout is to have at least */
  divide(places) {
    if (this.#places === places) return;
    this.#places = places;
    this.#change();
  }

  /** Into another layout, if it is one. */
  #change() {
    const { shape } = document.documentElement.dataset;
    const { layout } = this.#said;
    if (layoutOf(layout, /** @type {any} */ (shape), 0, this.#places).name === this.#layout.name) return;
    dissolve(() => {
      this.#layout = this.#fit();
      this.#onChange();
    });
  }

  #fit() {
    const root = document.documentElement;
    const { layout, rotation, driftPx, wall } = this.#said;
    // A wall has no rim of its own in the middle of the picture.
    const safeArea = wall ? [] : this.#said.safeArea;
    // 1. Upright, as whoever stands before it sees it
    const display = upright({ width: innerWidth, height: innerHeight }, rotation);
    const picture = wall ? spanned(display, wall) : display;
    lay(this.#canvas, picture);
    lay(this.#identify, display);
    // 2. What is not covered, wherever the drift takes it
    const spare = driftPx / devicePixelRatio;
    const [top, right, bottom, left] = insets(safeArea, picture, devicePixelRatio).map((side) =>
      side > 0 ? side + spare : 0,
    );
    this.#stage.style.inset = [top, right, bottom, left].map((side) => `${side}px`).join(" ");
    const width = picture.width - left - right;
    const height = picture.height - top - bottom;
    // 3. As large as its design allows
    const shape = shapeOf(width, height);
    const design = DESIGNS[shape];
    const rem = Math.min(width / design.width, height / design.height);
    root.style.fontSize = `${rem}px`;
    const found = layoutOf(layout, shape, width / rem, this.#places);
    root.dataset.shape = shape;
    root.dataset.layout = found.kind;
    root.style.setProperty("--belt", String(found.small.columns));
    root.dataset.shelf = found.small.columns ? "some" : "none";
    return found;
  }

  /** From now on brightness changes by and by; a screen that starts at night is dark at once. */
  #ease() {
    getComputedStyle(this.#veil).opacity; // Before the transition is there.
    this.#veil.dataset.eases = "";
  }

  /**
   * Moves the picture aside of the seams between panels.
   * @param {{box: HTMLElement, across?: number, down?: [number, number], weight: number}[]} parts
   *   what should not be cut: `across` of a box in its middle, 0 where it makes way by itself;
   *   `down` from there to there, 0..1
   */
  clear(parts) {
    const hidden = this.#hidden();
    if (hidden.across.length + hidden.down.length === 0) return;
    this.#aside = clear(
      parts.map(({ box, across = 1, down: [from, to] = [0, 1], weight }) => {
        const { left, top, width, height } = within(box, this.#stage);
        const sides = { left: left + (width * (1 - across)) / 2, right: left + (width * (1 + across)) / 2 };
        return {
          ...(across > 0 ? sides : { left: Infinity, right: -Infinity }),
          top: top + height * from,
          bottom: top + height * to,
          weight,
        };
      }),
      { width: this.#stage.clientWidth, height: this.#stage.clientHeight },
      hidden,
    );
    this.#tend();
  }

  /**
   * Where seams run through a box, wherever the drift takes it, once the picture is moved aside.
   * @param {HTMLElement} box
   * @returns {Strips} in parts of its width and height, 0..1
   */
  cuts(box) {
    const hidden = this.#hidden();
    if (hidden.across.length + hidden.down.length === 0) return hidden;
    const { left, top, width, height } = within(box, this.#stage);
    const { scale, x, y } = this.#aside;
    return {
      across: along(hidden.across, (at) => ((at - x) / scale - left) / width),
      down: along(hidden.down, (at) => ((at - y) / scale - top) / height),
    };
  }

  /**
   * What no seam cuts around a box, all in px of the stage before it is moved aside.
   * @param {HTMLElement} box
   * @param {number} rim kept free at the picture's own ends
   * @returns {{panel: import("../lib/seams.js").Sides, shortPx: number,
   *   at: (box: HTMLElement) => import("../lib/seams.js").Sides} | null} the panel that it is on, the
   *   picture's shorter side, and where any box is; null where there are no seams
   */
  panelOf(box, rim) {
    const hidden = this.#hidden();
    if (hidden.across.length + hidden.down.length === 0) return null;
    const { scale, x, y } = this.#aside;
    const at = (/** @type {HTMLElement} */ each) => {
      const { left, top, width, height } = within(each, this.#stage);
      return { left, top, right: left + width, bottom: top + height };
    };
    const { left, right, top, bottom } = at(box);
    const { clientWidth, clientHeight } = this.#stage;
    const ends = (/** @type {number} */ length) =>
      /** @type {[number, number][]} */ ([[0, rim], [length - rim, length]]);
    const [onX, onY] = [[...hidden.across, ...ends(clientWidth)], [...hidden.down, ...ends(clientHeight)]];
    const across = around(clientWidth, onX, [left * scale + x, right * scale + x]);
    const down = around(clientHeight, onY, [top * scale + y, bottom * scale + y]);
    return {
      panel: {
        left: (across[0] - x) / scale,
        right: (across[1] - x) / scale,
        top: (down[0] - y) / scale,
        bottom: (down[1] - y) / scale,
      },
      shortPx: Math.min(clientWidth, clientHeight) / scale,
      at,
    };
  }

  /** What bezels hide of the stage, and what the drift may take under them. @returns {Strips} */
  #hidden() {
    const { panels, bezelPx, wall, driftPx } = this.#said;
    if (bezelPx === 0 && !wall) return { across: [], down: [] };
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = wall ? width / wall.width : 1;
    const spare = driftPx / devicePixelRatio;
    const bezel = bezelPx / devicePixelRatio;
    const strips = wall
      ? { across: along(wall.across, (at) => at * scale), down: along(wall.down, (at) => at * scale) }
      : { across: seams(panels[0], width, bezel), down: seams(panels[1], height, bezel) };
    const { offsetLeft, offsetTop } = this.#stage;
    const on = (/** @type {[number, number][]} */ all, /** @type {number} */ off) =>
      all.map(([a, b]) => /** @type {[number, number]} */ ([a - off - spare, b - off + spare]));
    return { across: on(strips.across, offsetLeft), down: on(strips.down, offsetTop) };
  }

  /** Looks at the clock. */
  #tend() {
    const { brightness, driftPx } = this.#said;
    const now = new Date();
    const hours = this.#ordered === null ? brightness : Array(24).fill(this.#ordered);
    this.#veil.style.opacity = String(veil(hours, now.getHours()));
    const { x, y } = drift(now.getTime(), driftPx);
    const aside = this.#aside;
    const [left, top] = [aside.x + x / devicePixelRatio, aside.y + y / devicePixelRatio];
    this.#stage.style.transform = `translate(${left}px, ${top}px) scale(${aside.scale})`;
  }
}

/**
 * Where a box is on the stage before the stage is moved: transforms of the stage and of what holds
 * it leave proportions as they are, quarter turns aside.
 * @param {HTMLElement} box
 * @param {HTMLElement} stage
 */
function within(box, stage) {
  const moved = stage.style.transform;
  const canvas = /** @type {HTMLElement} */ (stage.parentElement);
  const turned = canvas.style.transform;
  stage.style.transform = canvas.style.transform = "none";
  const [inner, outer] = [box.getBoundingClientRect(), stage.getBoundingClientRect()];
  stage.style.transform = moved;
  canvas.style.transform = turned;
  return {
    left: inner.left - outer.left,
    top: inner.top - outer.top,
    width: inner.width,
    height: inner.height,
  };
}

/** @param {[number, number][]} strips @param {(at: number) => number} to */
function along(strips, to) {
  return strips.map(([a, b]) => /** @type {[number, number]} */ ([to(a), to(b)]));
}

/** @param {HTMLElement} box @param {{width: number, height: number, transform: string}} how */
function lay(box, { width, height, transform }) {
  box.style.width = `${width}px`;
  box.style.height = `${height}px`;
  box.style.transform = transform;
}

/** @param {string} selector @returns {HTMLElement} */
function element(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`${selector} is missing from the page`);
  return found;
}
