/** A job of pictures for the engine, as the tests give it: in Node through analyze.js, and in a page. */

/** @typedef {{file: string, width: number, height: number}} Place */

/**
 * @param {import("../live/engine/engine.js").Engine} engine
 * @param {{frames: Place[], video: (Place & {time_s: number})[], crops: Place[]}} job pictures as `readPicture` takes them
 * @param {(place: Place) => Promise<import("../live/engine/frame.js").Picture>} readPicture
 * @returns {Promise<string>} JSON with the faces of each frame, the tracked faces of each frame of the video, and the
 *   probabilities of each crop
 */
export async function doJob(engine, job, readPicture) {
  const answer = { frames: [], video: [], crops: [] };
  for (const frame of job.frames) answer.frames.push(await engine.analyze(await readPicture(frame)));
  let state = null;
  for (const frame of job.video) {
    const tracked = await engine.track(await readPicture(frame), state, frame.time_s);
    answer.video.push(tracked.faces);
    state = tracked.state;
  }
  for (const crop of job.crops) answer.crops.push(...(await engine.classify([await readPicture(crop)])));
  // Typed arrays as plain ones, since JSON would make objects of them.
  return JSON.stringify(answer, (_, value) => (ArrayBuffer.isView(value) ? Array.from(/** @type {Uint8Array} */ (value)) : value));
}
