// A box that is closed still leads back to what was sent before.

import { Mine } from "./mine.js";

const mine = new Mine(/** @type {HTMLElement} */ (document.querySelector("#mine")));
void mine.ask();
