// IndexedDB as promises. Source: Indexed Database API 3.0.

/** A disk that does not answer must not hold up what is drawn. */
const ANSWER_MS = 5000;
/** The same for opening and for the first reading, which follow a power cut: the browser may have much
 * to put in order, and what does not open is thrown away. */
export const OPEN_MS = 20_000;
/** What the browser let go of is opened anew after so long: a disk that fails at once must not be asked
 * without a pause. */
export const AGAIN_MS = 30_000;

/**
 * Opens a database and lets go of it when somebody deletes it. Rejects where there is none, as in
 * a browser whose profile is broken or full.
 * @param {string} name
 * @param {(database: IDBDatabase) => void} make creates its stores
 * @param {() => void} [onGone] told when it is of no use any more: somebody deletes it, or the browser
 *   closed it, for its room or for an error of the disk
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase(name, make, onGone = () => {}) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => make(request.result);
  return answered(request, OPEN_MS).then((database) => {
    database.onversionchange = () => {
      database.close();
      onGone();
    };
    database.onclose = onGone;
    return database;
  });
}

/** @template T @param {IDBRequest<T>} request @param {number} [ms] @returns {Promise<T>} */
export function answered(request, ms = ANSWER_MS) {
  return inTime(
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    }),
    ms,
  );
}

/** Resolves when it is on the disk. @param {IDBTransaction} transaction @returns {Promise<void>} */
export function committed(transaction) {
  return inTime(
    new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
    }),
  );
}

/** @template T @param {Promise<T>} promise @param {number} [ms] @returns {Promise<T>} */
export function inTime(promise, ms = ANSWER_MS) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the disk does not answer")), ms);
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() =>
    clearTimeout(timer),
  );
}
