// What the adapters in Node share: reading the work, timing, and printing answers.
const fs = require('fs');
const path = require('path');

// crop, photo: ({ pixels: Uint8Array, width, height }) -> seven probabilities, or null where no face is found.
exports.serve = async function serve(crop, photo) {
  const file = process.argv[2];
  const work = [];
  for (const part of JSON.parse(fs.readFileSync(file, 'utf8')).sets) {
    const pixels = new Uint8Array(fs.readFileSync(path.join(path.dirname(file), part.pixels)));
    let from = 0;
    const pictures = part.sizes.map(([width, height]) => {
      const picture = { width, height, pixels: pixels.subarray(from, from + width * height * 3) };
      from += width * height * 3;
      return picture;
    });
    const answer = part.mode === 'crop' ? crop : photo;
    await answer(pictures[0]);
    work.push([answer, pictures]);
  }
  process.stdout.write('ready\n');
  for (const [answer, pictures] of work) {
    for (const picture of pictures) {
      const begun = process.cpuUsage();
      const probabilities = await answer(picture);
      const { user, system } = process.cpuUsage(begun);
      process.stdout.write(JSON.stringify({ ms: (user + system) / 1000, probabilities }) + '\n');
    }
  }
};

// Tools that write to the console must not write among the answers.
console.log = console.info = console.error;
