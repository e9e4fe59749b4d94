/**
 * Writes down, in the page of the live view, which frame of the camera was shown when, and which answer came when.
 * Sets `window.recorder`; all times are `performance.now()`, in ms.
 */
({ width, height, bits }) => {
  const video = document.querySelector("#live-view video");
  const mounted = document.querySelector("#live-view .live").parentElement;
  const block = width / (2 * bits);
  // Two lines through the middle of the blocks that the camera's frames are numbered with: brightness and colours.
  const strip = { x: 0, y: height - block / 2, width, height: 2 };
  let recording = null;

  /** Only these lines are copied, and not the picture, so that the measurement costs the page next to nothing. */
  async function numberOf(frame) {
    const pixels = new Uint8Array(4 * strip.width * strip.height);
    await frame.copyTo(pixels, { rect: strip });
    if (!/^(I4|NV12)/.test(frame.format)) throw new Error(`the camera's format ${frame.format} is not known here`);
    const lit = Array.from({ length: 2 * bits }, (_, place) => pixels[place * block + block / 2] > 127);
    const damaged = lit.slice(0, bits).some((bit, place) => bit === lit[place + bits]);
    return damaged ? null : lit.slice(0, bits).reduce((number, bit, place) => number + (bit ? 2 ** place : 0), 0);
  }

  /** The browser draws the page for each frame that is watched, so none is while nothing is recorded. */
  function watch() {
    video.requestVideoFrameCallback(async (_, { presentationTime, captureTime }) => {
      if (!recording) return;
      watch();
      const row = { number: null, presented: presentationTime, seen: performance.now(), captured: captureTime ?? null };
      recording.frames.push(row);
      const frame = new VideoFrame(video);
      try {
        row.number = await numberOf(frame);
      } finally {
        frame.close();
      }
    });
  }

  mounted.addEventListener("answer", ({ detail: { faces, timeS, tookMs, live } }) => {
    window.recorder.answers += 1;
    if (!recording || !live) return;
    const row = { taken: timeS * 1000, took: tookMs, drawn: null, label: faces[0]?.label ?? null };
    recording.answers.push(row);
    // The page asked for its next drawing before this, so that it has drawn when this is called.
    requestAnimationFrame(() => (row.drawn = performance.now()));
  });

  window.recorder = {
    answers: 0,
    begin() {
      recording = { began: performance.now(), ended: null, frames: [], answers: [] };
      watch();
    },
    end() {
      const ended = { ...recording, ended: performance.now() };
      recording = null;
      return ended;
    },
  };
}
