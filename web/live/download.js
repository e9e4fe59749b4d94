/** Fetching files with progress. */

/**
 * @param {string[]} places addresses
 * @param {(progress: {loaded: number, total: number}) => void} tell called as bytes come; `total` grows until the
 *   length of every file is known
 * @returns {Promise<Uint8Array[]>} the files, in the order of `places`
 * @throws {Error} if one is unavailable; the message says which and why
 */
export async function fetchWithProgress(places, tell) {
  const progress = { loaded: 0, total: 0 };
  return Promise.all(
    places.map(async (place) => {
      const response = await fetch(place);
      const name = new URL(place, location.href).pathname.split("/").pop();
      if (!response.ok) throw new Error(`${name} cannot be fetched: status ${response.status}`);
      progress.total += Number(response.headers.get("content-length") ?? 0);
      return readAll(response.body.getReader(), (bytes) => {
        progress.loaded += bytes;
        tell(progress);
      });
    }),
  );
}

async function readAll(reader, count) {
  const parts = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    length += part.value.length;
    count(part.value.length);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
