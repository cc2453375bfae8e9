// Where a shelf lies on the disk: its stores, and how what is in them is deleted (shelf.js).

import { answered, committed, openDatabase } from "./database.js";

/**
 * @typedef {"picture" | "clip"} Kind
 * @typedef {{key: string, submission: string, kind: Kind, seq: number, figurine: number, blob: Blob,
 *   measured: object}} File
 * @typedef {{seq: number, figurine: number, bytes: number}} Held
 */

const NAME = "diorama-shelf";
/** @type {Kind[]} */
export const KINDS = ["picture", "clip"];

/** Rejects where there is none, as `openDatabase` does. @param {() => void} onGone as there */
export function openStores(onGone) {
  return openDatabase(NAME, makeStores, onGone);
}

/** Deletes the whole shelf, whoever has it open. Whether it is gone. */
export async function wipe() {
  try {
    await answered(indexedDB.deleteDatabase(NAME));
    return true;
  } catch (error) {
    console.error("the shelf was not deleted", error);
    return false;
  }
}

/** @param {string} submission @param {Kind} kind */
export function keyOf(submission, kind) {
  return `${submission}/${kind}`;
}

/** @param {File} file @returns {Held} */
export function heldOf({ seq, figurine, blob }) {
  return { seq, figurine, bytes: blob.size };
}

/** @param {IDBDatabase} database */
function makeStores(database) {
  database.createObjectStore("items", { keyPath: "submission" });
  database.createObjectStore("files", { keyPath: "key" });
  database.createObjectStore("meta");
}

/** Strict: an acknowledgement says that it is gone. @param {IDBDatabase} database
 * @param {string[]} submissions */
export function deletion(database, submissions) {
  const stores = ["items", "files"];
  const transaction = database.transaction(stores, "readwrite", { durability: "strict" });
  remove(transaction, submissions);
  return transaction;
}

/** @param {IDBTransaction} transaction @param {string[]} submissions */
export function remove(transaction, submissions) {
  for (const submission of submissions) {
    transaction.objectStore("items").delete(submission);
    for (const kind of KINDS) transaction.objectStore("files").delete(keyOf(submission, kind));
  }
}

/** Nothing is left but whose it is: it may be filled again. @param {IDBDatabase} database
 * @param {string} owner */
export async function clear(database, owner) {
  const stores = ["items", "files", "meta"];
  const transaction = database.transaction(stores, "readwrite", { durability: "strict" });
  stores.forEach((name) => transaction.objectStore(name).clear());
  transaction.objectStore("meta").put(owner, "owner");
  await committed(transaction);
}
