// @vladmandic/face-api (Vladimir Mandic after Vincent Mühler, MIT), WASM: as in its demo/node-wasm.js.
// Photographs: SSD MobileNet v1, 68 landmarks, and the expression of the aligned face.
const path = require('path');
const { serve } = require('./protocol.cjs');

const modules = path.resolve('node_modules');
const load = (name) => require(path.join(modules, name));
const LABELS = ['angry', 'disgusted', 'fearful', 'happy', 'sad', 'surprised', 'neutral'];

async function main() {
  const tf = load('@tensorflow/tfjs');
  const wasm = load('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
  wasm.setThreadsCount(1);
  await tf.setBackend('wasm');
  await tf.ready();
  const faceapi = load('@vladmandic/face-api/dist/face-api.node-wasm.js');
  const models = path.join(modules, '@vladmandic/face-api/model');
  for (const net of ['ssdMobilenetv1', 'faceLandmark68Net', 'faceExpressionNet']) {
    await faceapi.nets[net].loadFromDisk(models);
  }
  const options = new faceapi.SsdMobilenetv1Options({ minConfidence: 0.1, maxResults: 10 });
  const values = (expressions) => LABELS.map((label) => expressions[label]);

  const withTensor = async (picture, use) => {
    const tensor = tf.tensor3d(picture.pixels, [picture.height, picture.width, 3], 'int32');
    try {
      return await use(tensor);
    } finally {
      tensor.dispose();
    }
  };
  const crop = (picture) =>
    withTensor(picture, async (tensor) => values(await faceapi.nets.faceExpressionNet.predictExpressions(tensor)));
  const photo = (picture) =>
    withTensor(picture, async (tensor) => {
      const faces = await faceapi.detectAllFaces(tensor, options).withFaceLandmarks().withFaceExpressions();
      const area = ({ detection }) => detection.box.width * detection.box.height;
      faces.sort((one, other) => area(other) - area(one));
      return faces.length ? values(faces[0].expressions) : null;
    });
  await serve(crop, photo);
}

main();
