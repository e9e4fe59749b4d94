// @vladmandic/human (Vladimir Mandic, MIT), WASM, with its default face settings: detector, mesh, iris, emotion.
// Its public interface has no way around the detector; a crop gets the steps of its src/gear/emotion.ts.
const fs = require('fs');
const path = require('path');
const { fileURLToPath, pathToFileURL } = require('url');
const { serve } = require('./protocol.cjs');

const modules = path.resolve('node_modules');
const home = path.join(modules, '@vladmandic/human');
const LABELS = ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'];

// Models are fetched by URL, and Node's fetch reads no files.
const fetchFromWeb = globalThis.fetch;
globalThis.fetch = async (url, options) =>
  String(url).startsWith('file:') ? new Response(fs.readFileSync(fileURLToPath(String(url)))) : fetchFromWeb(url, options);

async function main() {
  const wasm = require(path.join(modules, '@tensorflow/tfjs-backend-wasm'));
  wasm.setThreadsCount(1);
  const { Human } = require(path.join(home, 'dist/human.node-wasm.js'));
  const human = new Human({
    backend: 'wasm',
    wasmPath: path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'),
    modelBasePath: pathToFileURL(path.join(home, 'models')).href + '/',
    cacheSensitivity: 0,
    debug: false,
    face: { emotion: { enabled: true, minConfidence: 0 }, description: { enabled: false } },
    body: { enabled: false },
    hand: { enabled: false },
    gesture: { enabled: false },
  });
  await human.load();
  const tf = human.tf;
  const model = human.models.models.emotion;
  const side = model.inputs[0].shape[2];

  const crop = async (picture) => {
    const output = tf.tidy(() => {
      const image = tf.div(tf.tensor(picture.pixels, [1, picture.height, picture.width, 3], 'float32'), 255);
      const grey = tf.sum(tf.mul(tf.image.resizeBilinear(image, [side, side]), [0.2989, 0.587, 0.114]), 3, true);
      return model.execute(tf.mul(tf.sub(grey, 0.5), 2));
    });
    const values = Array.from(await output.data());
    output.dispose();
    return values;
  };
  const photo = async (picture) => {
    const tensor = tf.tensor(picture.pixels, [1, picture.height, picture.width, 3], 'float32');
    const { face, error } = await human.detect(tensor);
    tensor.dispose();
    if (error) throw new Error(error);
    face.sort((one, other) => other.size[0] * other.size[1] - one.size[0] * one.size[1]);
    if (!face.length || !face[0].emotion) return null;
    const scores = Object.fromEntries(face[0].emotion.map(({ emotion, score }) => [emotion, score]));
    return LABELS.map((label) => scores[label] ?? 0);
  };
  await serve(crop, photo);
}

main();
