/** Fetching files with progress. */

/**
 * @typedef {object} Progress
 * @property {number} loaded bytes that came over the network (or from the browser's cache)
 * @property {number} total bytes of all files, as far as known: it grows until every answer has begun
 * @property {boolean} isDone whether all files are here
 */

/**
 * Fetch files. Those that are gzip files themselves are unpacked: a host of static files may compress none.
 *
 * @param {{address: string, length?: number}[]} files `length`: bytes before any compression, if known
 * @param {(progress: Progress) => void} tell called as bytes come
 * @returns {Promise<Uint8Array[]>} their content, in their order
 * @throws {Error} if one is unavailable; the message says which and why
 */
export async function fetchWithProgress(files, tell) {
  const progress = { loaded: 0, total: 0, isDone: false };
  let left = files.length;
  return Promise.all(
    files.map(async ({ address, length }) => {
      const response = await fetch(address);
      const name = new URL(address, location.href).pathname.split("/").pop();
      if (!response.ok) throw new Error(`${name} cannot be fetched: status ${response.status}`);
      // The browser hands on what it has unpacked; how much of the way that is, the length says.
      const onTheWay = Number(response.headers.get("content-length") ?? 0);
      const share = response.headers.get("content-encoding") && length && onTheWay ? onTheWay / length : 1;
      progress.total += onTheWay || length || 0;
      const content = await readAll(response.body.getReader(), (bytes) => {
        progress.loaded += bytes * share;
        tell(progress);
      });
      left -= 1;
      progress.isDone = left === 0;
      tell(progress);
      return isGzip(content) ? unpack(content) : content;
    }),
  );
}

function isGzip(content) {
  return content[0] === 0x1f && content[1] === 0x8b;
}

function unpack(content) {
  return readAll(new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip")).getReader(), () => {});
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
