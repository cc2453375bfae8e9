// What the crew asks of this screen: what lasts, and what is carried out once.

/**
 * @typedef {{isPaused: boolean, isBlanked: boolean, brightness: number | null, layout: string | null}} State
 *   `brightness` in percent, null by the hour; `layout` null as the page has it
 * @typedef {{id: string, kind: string, value: string, until: string}} Command
 */

const KEY = "diorama.orders";
/** Where the scripts before this one look (screen/blackout.js): whether all is to be black. */
const BLACK = "diorama.black";
/** Commands that are remembered as carried out; the server tells of none for longer than minutes. */
const REMEMBERED = 100;
/** The server takes no more (billboard/protocol.py, WHY_MAX_CHARS). */
const WHY_MOST_CHARS = 120;

/** Applied whenever it is told, and done once that is seen. */
const LASTING = new Set(["pause", "resume", "blank", "unblank", "brightness", "layout"]);

/** @type {State} */
const USUAL = { isPaused: false, isBlanked: false, brightness: null, layout: null };

/** Thrown by whoever carries a command out, or rather does not; the crew reads why. */
export class Refused extends Error {}

/**
 * Speaks commands.Orders of the server. What lasts is applied whenever it is told, and kept for the
 * next start; what is done once is known by its id, also after a reload, and told how it ended.
 */
export class Orders {
  #now;
  #storage;
  #apply;
  #deeds;
  #painted;
  #tell;
  #state = USUAL;
  /** @type {string[]} oldest first */
  #begun = [];
  /** @type {string | null} A command that ends the page: it is done when the next one is there. */
  #reloading = null;

  /**
   * @param {{now: () => number, storage: Pick<Storage, "getItem" | "setItem" | "removeItem">,
   *   apply: (state: State) => void, painted: () => Promise<unknown>, tell: (ack: any) => void,
   *   deeds: Record<string, (command: Command) => Promise<void> | void>}} wiring
   *   `now` is the server's time; a deed, by its kind, rejects with Refused; `painted` resolves when
   *   what was done is seen
   */
  constructor({ now, storage, apply, deeds, painted, tell }) {
    this.#now = now;
    this.#storage = storage;
    this.#apply = apply;
    this.#deeds = deeds;
    this.#painted = painted;
    this.#tell = tell;
  }

  /** What lasts is as on the page before this one; before anything is drawn. */
  restore() {
    const kept = this.#kept();
    this.#state = stateOf(kept.state);
    this.#begun = strings(kept.begun);
    this.#reloading = typeof kept.reloading === "string" ? kept.reloading : null;
    this.#apply(this.#state);
  }

  /** This page is there: a command that ended the one before is done. */
  resume() {
    if (this.#reloading === null) return;
    this.#end(this.#reloading, null);
    this.#reloading = null;
    this.#keep();
  }

  /** The server's word on all that is asked now, in the order in which it came: the times in it are
   * of several clocks. @param {any} frame */
  async take(frame) {
    this.#state = stateOf(frame.state);
    this.#keep();
    this.#apply(this.#state);
    const deeds = [];
    for (const command of frame.commands ?? []) {
      if (this.#reloading !== null) return; // The next page hears of the others.
      if (this.#begun.includes(command.id)) continue;
      const deed = this.#obey(command);
      // One that takes its time keeps none of the others waiting; one that ends the page does.
      if (this.#reloading !== null) await deed;
      deeds.push(deed);
    }
    await Promise.all(deeds);
  }

  /** This is no screen any more: whose orders these were is none of the next one's business. */
  forget() {
    this.#state = USUAL;
    this.#apply(USUAL);
    forgetOrders(this.#storage);
  }

  /** Once, whatever comes of it. @param {Command} command */
  async #obey(command) {
    this.#begun = [...this.#begun, command.id].slice(-REMEMBERED);
    const isKept = this.#keep();
    if (!(Date.parse(command.until) > this.#now())) return;
    const deed = this.#deeds[command.kind];
    try {
      if (!deed && !LASTING.has(command.kind)) throw new Refused("this player does not know it");
      if (command.kind === "reload") {
        if (!isKept) throw new Refused("this browser keeps nothing: it would reload for ever");
        this.#reloading = command.id;
        this.#keep();
      }
      await deed?.(command);
      if (command.kind === "reload") return;
      await this.#painted();
      this.#end(command.id, null);
    } catch (error) {
      if (!(error instanceof Refused)) console.error("a command failed", command.kind, error);
      this.#reloading = null;
      this.#keep();
      this.#end(command.id, error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} id @param {string | null} why not */
  #end(id, why) {
    this.#tell({
      ack: "command",
      id,
      outcome: why === null ? "done" : "refused",
      why: (why ?? "").replace(/[^\x20-\x7e]/g, " ").slice(0, WHY_MOST_CHARS),
      at: new Date(this.#now()).toISOString(),
    });
  }

  /** @returns {{state?: unknown, begun?: unknown, reloading?: unknown}} */
  #kept() {
    try {
      return JSON.parse(this.#storage.getItem(KEY) ?? "{}") ?? {};
    } catch {
      return {};
    }
  }

  /** Whether it is written down. */
  #keep() {
    const kept = { state: this.#state, begun: this.#begun, reloading: this.#reloading };
    try {
      this.#storage.setItem(KEY, JSON.stringify(kept));
      if (this.#state.isBlanked) this.#storage.setItem(BLACK, "yes");
      else this.#storage.removeItem(BLACK);
      return true;
    } catch {
      return false; // Full or forbidden: the next start hears it from the server.
    }
  }
}

/** Deletes what is kept of them, for the screen that this browser is next.
 * @param {Pick<Storage, "removeItem">} storage */
export function forgetOrders(storage) {
  storage.removeItem(KEY);
  storage.removeItem(BLACK);
}

/** Whatever it is: what is told in the server's words or kept in ours. @param {any} said
 * @returns {State} */
function stateOf(said) {
  const brightness = said?.brightness;
  return {
    isPaused: (said?.is_paused ?? said?.isPaused) === true,
    isBlanked: (said?.is_blanked ?? said?.isBlanked) === true,
    brightness: Number.isFinite(brightness) ? Math.min(100, Math.max(0, brightness)) : null,
    layout: typeof said?.layout === "string" ? said.layout : null,
  };
}

/** @param {unknown} value */
function strings(value) {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
