// The campaign's words as large as their box allows.

/**
 * Breaks words into the lines that can be set largest. Of equal ones, the first line is shortest.
 * @param {number[]} widths of the words at size 1
 * @param {{width: number, height: number, lineHeight: number, space: number, linesMost?: number}} box
 *   `lineHeight` and `space` (between words) at size 1
 * @returns {{lines: number[][], size: number}} indices of words by line
 */
export function arrange(widths, { width, height, lineHeight, space, linesMost = 4 }) {
  let best = { lines: [widths.map((_, i) => i)], size: 0 };
  for (const lines of breakings(widths.length, linesMost)) {
    const longest = Math.max(
      ...lines.map((line) => line.reduce((sum, i) => sum + widths[i] + space, -space)),
    );
    const size = Math.min(width / longest, height / (lines.length * lineHeight));
    if (size > best.size * 1.0001) best = { lines, size };
  }
  return best;
}

/**
 * Every way to break `count` words into at most `linesMost` lines, short first lines first.
 * @param {number} count
 * @param {number} linesMost
 * @returns {Generator<number[][]>}
 */
function* breakings(count, linesMost, from = 0) {
  if (linesMost === 1 || from === count - 1) {
    yield [range(from, count)];
    return;
  }
  for (let end = from + 1; end < count; end += 1) {
    for (const rest of breakings(count, linesMost - 1, end)) yield [range(from, end), ...rest];
  }
  yield [range(from, count)];
}

/** @param {number} from @param {number} to */
function range(from, to) {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
