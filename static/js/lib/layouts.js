// How many figurines a screen shows, how large, and where. Pure: numbers in, numbers out.

/**
 * @typedef {{left: number, top: number, width: number, height: number}} Rect
 * @typedef {"landscape" | "totem" | "tower" | "ribbon"} Shape
 * @typedef {"hero" | "diptych" | "mosaic" | "ribbon"} Kind
 * @typedef {{name: string, kind: Kind, places: number, small: {columns: number, rows: number},
 *   steps: boolean}} Layout
 *   `places` are heroes or cells, whose showings are plays; `small` is the shelf beside them; where
 *   it `steps`, it is a belt that whoever was the hero rides away on
 */

/** From these widths by heights on: a banner, a screen, a pillar, and below that a tower. */
const RIBBON_FROM = 3;
const LANDSCAPE_FROM = 0.85;
const TOTEM_FROM = 0.3;

/** The least that a stage holds, in rem; the scarcer side says how large a rem is. */
export const DESIGNS = {
  landscape: { width: 19.2, height: 10.8 },
  totem: { width: 10.8, height: 19.2 },
  tower: { width: 10.8, height: 36 },
  ribbon: { width: 32.4, height: 10.8 },
};

/** Width by height of a card: the narrowest and the widest that still look like a boxed toy. Upright
 * shapes take wider ones, so that their sides are not empty. */
export const HERO_CARD = { narrowest: 0.6, widest: 0.85 };
export const UPRIGHT_HERO_CARD = { narrowest: 0.52, widest: 1.06 };
export const CELL_CARD = { narrowest: 0.6, widest: 0.86 };
export const UPRIGHT_CELL_CARD = { narrowest: 0.6, widest: 1.2 };
export const SHELF_CARD = { narrowest: 0.5, widest: 0.8 };

/** What a belt's card takes of a ribbon's width, and the rest of the ribbon, in rem. */
const BELT_CARD = 3.1;
const BELT_BESIDE = 26;

/** @param {number} width @param {number} height @returns {Shape} */
export function shapeOf(width, height) {
  const aspect = width / height;
  if (aspect >= RIBBON_FROM) return "ribbon";
  if (aspect >= LANDSCAPE_FROM) return "landscape";
  return aspect >= TOTEM_FROM ? "totem" : "tower";
}

/**
 * The layout of this name on a stage of this shape; any name that is not known counts as "auto".
 * @param {string} name
 * @param {Shape} shape
 * @param {number} widthRem of the stage
 * @param {number} [places] that "auto" must have: a queue too long for one
 * @returns {Layout}
 */
export function layoutOf(name, shape, widthRem, places = 1) {
  const none = { columns: 0, rows: 0 };
  switch (name) {
    case "diptych":
      return { name, kind: "diptych", places: 2, small: none, steps: false };
    case "mosaic4":
    case "mosaic9":
    case "mosaic16":
      return { name, kind: "mosaic", places: Number(name.slice(6)), small: none, steps: false };
    case "hero":
    case "ribbon":
      return {
        name,
        kind: name,
        places: 1,
        small: name === "hero" ? heroShelf(shape) : belt(shape, widthRem),
        steps: name === "ribbon",
      };
    default:
      if (places === 2) return layoutOf("diptych", shape, widthRem);
      if (places > 2) return layoutOf(`mosaic${places}`, shape, widthRem);
      return layoutOf(shape === "ribbon" ? "ribbon" : "hero", shape, widthRem);
  }
}

/** @param {Shape} shape */
function heroShelf(shape) {
  return { columns: 3, rows: shape === "tower" ? 2 : 1 };
}

/** @param {Shape} shape @param {number} widthRem */
function belt(shape, widthRem) {
  if (shape === "tower") return { columns: 4, rows: 2 };
  if (shape === "totem") return { columns: 1, rows: 4 };
  if (shape === "landscape") return { columns: 7, rows: 1 };
  const columns = Math.round((widthRem - BELT_BESIDE) / BELT_CARD);
  return { columns: Math.min(12, Math.max(3, columns)), rows: 1 };
}

/**
 * Where `count` cards are largest in an area: in full rows, or, where `mayLead`, with the first one
 * leading over them at the size of several. In the units of `area`.
 * @param {number} count
 * @param {{width: number, height: number}} area
 * @param {{gap: number, narrowest: number, widest: number, mayLead?: boolean}} how
 * @returns {{width: number, height: number, rects: Rect[]}} the rects begin at 0, 0
 */
export function spread(count, area, { gap, narrowest, widest, mayLead = false }) {
  let best = { width: 0, height: 0, rects: /** @type {Rect[]} */ ([]) };
  let bestScore = 0;
  for (const { columns, rows, lead } of splits(count, mayLead)) {
    const down = lead && area.height > area.width ? lead : 0;
    const across = lead && !down ? lead : 0;
    let width = (area.width - gap * (columns + across - 1)) / (columns + across);
    let height = (area.height - gap * (rows + down - 1)) / (rows + down);
    if (width <= 0 || height <= 0) continue;
    [width, height] = [Math.min(width, height * widest), Math.min(height, width / narrowest)];
    const found = packed({ columns, rows, down, across }, { width, height, gap });
    // A toy is upright: a card wider than that is no larger. Of nearly equal ones the fuller.
    const filled = (found.width * found.height) / (area.width * area.height);
    const score = Math.min(width, height * CELL_CARD.widest) * height * (1 + filled);
    if (score <= bestScore * 1.001) continue;
    bestScore = score;
    best = found;
  }
  return best;
}

/** @param {number} count @param {boolean} mayLead */
function* splits(count, mayLead) {
  for (let columns = 1; columns <= count; columns += 1) {
    if (count % columns === 0) yield { columns, rows: count / columns, lead: 0 };
  }
  for (let columns = 2; mayLead && columns < count; columns += 1) {
    const rows = (count - 1) / columns;
    if (Number.isInteger(rows) && rows > 1) yield { columns, rows, lead: 2 };
  }
}

/**
 * @param {{columns: number, rows: number, down: number, across: number}} grid
 * @param {{width: number, height: number, gap: number}} cell
 */
function packed({ columns, rows, down, across }, { width, height, gap }) {
  const cells = grid({ columns, rows }, { width, height, gap });
  const over = down * (height + gap);
  const beside = across * (width + gap);
  const whole = {
    width: columns * (width + gap) - gap + beside,
    height: rows * (height + gap) - gap + over,
  };
  const rects = cells.map((cell) => ({ ...cell, left: cell.left + beside, top: cell.top + over }));
  if (down) rects.unshift({ left: 0, top: 0, width: whole.width, height: over - gap });
  if (across) rects.unshift({ left: 0, top: 0, width: beside - gap, height: whole.height });
  return { ...whole, rects };
}

/**
 * Cells of a shelf, in the order of a belt: rows run to and fro, so that each cell is beside the
 * one before.
 * @param {{columns: number, rows: number}} shelf
 * @param {{width: number, height: number}} area
 * @param {{gap: number, narrowest: number, widest: number}} how
 * @returns {Rect[]}
 */
export function shelve({ columns, rows }, area, { gap, narrowest, widest }) {
  if (columns * rows === 0) return [];
  let width = (area.width - gap * (columns - 1)) / columns;
  let height = (area.height - gap * (rows - 1)) / rows;
  [width, height] = [Math.min(width, height * widest), Math.min(height, width / narrowest)];
  const left = (area.width - columns * (width + gap) + gap) / 2;
  const top = (area.height - rows * (height + gap) + gap) / 2;
  const cells = grid({ columns, rows }, { width, height, gap });
  return cells.map((_, i) => {
    const row = Math.floor(i / columns);
    const column = row % 2 ? columns - 1 - (i % columns) : i % columns;
    const cell = cells[row * columns + column];
    return { ...cell, left: cell.left + left, top: cell.top + top };
  });
}

/**
 * @param {{columns: number, rows: number}} size
 * @param {{width: number, height: number, gap: number}} cell
 * @returns {Rect[]} row by row
 */
function grid({ columns, rows }, { width, height, gap }) {
  return Array.from({ length: columns * rows }, (_, i) => ({
    left: (i % columns) * (width + gap),
    top: Math.floor(i / columns) * (height + gap),
    width,
    height,
  }));
}
