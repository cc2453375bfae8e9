// One layout becomes another: what was fades into what is, and every place moves to where it is next.
//
// Chromium holds the page as it was over the page as it is (a view transition), so that no frame is
// without either. Only transform and opacity move (screen.css says how fast).

/** What moves: every place, by the name that stage.js gives it. */
const GROUP = "::view-transition-group";

/** @type {ViewTransition | null} */
let running = null;

/** Makes a change of the page, in one of the next frames, and shows it as one. @param {() => void} change */
export function dissolve(change) {
  if (!document.startViewTransition) return change(); // Chromium before 111.
  running = document.startViewTransition(change);
  running.ready.then(compose, () => {}); // Cut short: it is as it is.
}

/** Of what was nothing is seen any more from the next frame on. */
export function cut() {
  running?.skipTransition();
}

/** Has places move and grow by transform alone: by itself Chromium lays them out in every frame. */
function compose() {
  for (const animation of document.getAnimations()) {
    const { effect } = animation;
    if (!(effect instanceof KeyframeEffect) || !effect.pseudoElement?.startsWith(GROUP)) continue;
    const [from, to] = effect.getKeyframes();
    const [width, height, atFirst, highAtFirst] = [to.width, to.height, from.width, from.height].map(
      (length) => parseFloat(String(length)),
    );
    // About the middle, as transforms are: one size is put on the other before it grows.
    const onto = `translate(${(atFirst - width) / 2}px, ${(highAtFirst - height) / 2}px)`;
    const grown = `scale(${atFirst / width}, ${highAtFirst / height})`;
    const { duration } = effect.getTiming();
    animation.cancel();
    document.documentElement.animate(
      [
        { transform: `${onto} ${from.transform} ${grown}`, easing: from.easing },
        { transform: `translate(0px, 0px) ${to.transform} scale(1, 1)` },
      ],
      { pseudoElement: effect.pseudoElement, duration },
    );
  }
}
