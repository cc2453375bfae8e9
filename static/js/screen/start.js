// Looks after the player's start from beside it: where a module does not load, none of them runs.

{
  /** So long its files may take. A load that did not help doubles the wait for the next one. */
  const START_MS = 60_000;
  /** So long it may take with a disk of which each answer comes at the last moment: 80 s for opening the
   * shelf (lib/shelf.js), as many for the plays (lib/spool.js), 15 s for whom it holds. */
  const DISK_MS = 180_000;
  const MOST_MS = 16 * START_MS;
  const ANSWER_MS = 5000;
  /** Only the player's page has it in its body (billboard/templates/billboard/screen.html). */
  const PLAYER = "data-acks-url=";
  const LOADS = "diorama.starts";

  /** Loads in a row that did not help. */
  const loads = () => {
    try {
      return Number(sessionStorage.getItem(LOADS)) || 0;
    } catch {
      return 0; // No storage: one a minute, then.
    }
  };

  /** @param {number} count */
  const note = (count) => {
    try {
      sessionStorage.setItem(LOADS, String(count));
    } catch {
      // Full or forbidden: as above.
    }
  };

  /** Whether a load brings the player, and not the browser's own error page, which stays for good. */
  const isSafe = async () => {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const answer = await fetch(location.pathname, { cache: "no-store", signal });
      if (answer.ok && (await answer.text()).includes(PLAYER)) return true;
    } catch {
      // No network.
    }
    if (!navigator.serviceWorker?.controller) return false;
    try {
      return (await caches.match(new URL("./", location.href))) !== undefined;
    } catch {
      return false; // The disk gives an error.
    }
  };

  const look = async () => {
    const { started, shape } = document.documentElement.dataset;
    if (started !== undefined) {
      note(0);
    } else if (shape !== undefined && performance.now() < DISK_MS) {
      setTimeout(look, START_MS); // Its stage stands.
    } else if (await isSafe()) {
      console.warn("loads anew: the player did not start");
      note(loads() + 1);
      location.reload();
    } else {
      setTimeout(look, START_MS);
    }
  };

  setTimeout(look, Math.min(MOST_MS, START_MS * 2 ** loads()));
}
