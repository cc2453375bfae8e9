/** The filmstrip of what waits. */

import { one } from "./common.js";

/** @type {Map<string, HTMLLIElement>} */
const places = new Map();

const list = one("[data-strip]");
for (const place of list.children) places.set(place.dataset.id, place);

/**
 * Bring the strip in line with the cards; places that stay are not touched.
 * @param {{id: string, thumb_url: string, label: string, plaque: string, claimed_by: string,
 *   state: string}[]} cards
 * @param {string} [currentId]
 */
export function showStrip(cards, currentId) {
  const wanted = new Set(cards.map((card) => card.id));
  for (const [id, place] of places) {
    if (wanted.has(id)) continue;
    place.remove();
    places.delete(id);
  }
  cards.forEach((card, index) => {
    const place = places.get(card.id) ?? make(card);
    places.set(card.id, place);
    const text = card.claimed_by || card.plaque || card.label;
    const caption = one("span", place);
    if (caption.textContent !== text) caption.textContent = text;
    const image = one("img", place);
    if (image.getAttribute("src") !== card.thumb_url) image.src = card.thumb_url;
    place.classList.toggle("is-claimed", Boolean(card.claimed_by));
    place.classList.toggle("is-held", card.state === "held");
    place.classList.toggle("is-current", card.id === currentId);
    if (list.children[index] !== place) list.insertBefore(place, list.children[index] ?? null);
  });
  places.get(currentId)?.scrollIntoView({ inline: "nearest", block: "nearest" });
}

/** @param {{id: string, label: string, plaque: string}} card */
function make(card) {
  const place = document.createElement("li");
  place.dataset.id = card.id;
  const link = document.createElement("a");
  link.href = `?look=${card.id}`;
  const image = new Image();
  image.loading = "lazy";
  image.fetchPriority = "low";
  image.alt = `${card.label} ${card.plaque}`;
  link.append(image, document.createElement("span"));
  place.append(link);
  return place;
}

/** @param {(id: string) => void} onPick */
export function onPick(onPick) {
  list.addEventListener("click", (event) => {
    const place = event.target.closest("li");
    if (!place || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    onPick(place.dataset.id);
  });
}
