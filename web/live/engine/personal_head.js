/**
 * A few faces of one person -> a small head beside the bundle's own, and a check of whether it helps.
 *
 * Made like `face_expression/personal/head.py`, which says how and why; `tests/support/personal_cases.json` is what both must do.
 * "Logits" here are those after the bundle's temperature, so that their softmax is the bundle's calibrated answer.
 */

export const MAX_FACES = 300;

const STEPS = 60;
const FOLDS = 20;

/**
 * A face with what somebody calls it.
 *
 * @typedef {object} KeptFace
 * @property {ArrayLike<number>} logits the bundle's, after the temperature, or 0 where there is nothing to start from
 * @property {ArrayLike<number>} features the network's
 * @property {number} label index of the right class
 * @property {number} take faces of one moment share one, and are left out together
 */

/**
 * How far a head may move: variances of the weights (on features of length 1) and of the biases.
 *
 * @typedef {{weights: number, bias: number}} Prior
 */

/**
 * What is added to the logits: a row of weights for each class, times the features brought to length 1, plus a bias.
 *
 * @typedef {{weights: ArrayLike<number>[], bias: ArrayLike<number>}} Head
 */

/**
 * How a head does on kept faces that it was not fitted to, against the bundle alone; losses in nats. `rightByLabel` has
 * the part of `rightAfter` of each class.
 *
 * @typedef {{faces: number, rightBefore: number, rightAfter: number, rightByLabel: number[], lossBefore: number, lossAfter: number}} Check
 */

/** @type {Prior} */
export const CORRECTIONS_PRIOR = Object.freeze({ weights: 1.0, bias: 0.3 });
/** @type {Prior} */
export const OWN_PRIOR = Object.freeze({ weights: 20.0, bias: 1.0 });

/**
 * @param {Head} head
 * @param {ArrayLike<number>} features of one face
 * @returns {number[]} to add to its logits
 */
export function shiftOf(head, features) {
  const unit = unitLength(features);
  return head.weights.map((row, index) => dot(row, unit) + head.bias[index]);
}

/**
 * @param {ArrayLike<number>} features
 * @returns {Float64Array} brought to length 1; zeros stay
 */
export function unitLength(features) {
  const length = Math.max(Math.sqrt(dot(features, features)), 1e-12);
  return Float64Array.from(features, (value) => value / length);
}

/**
 * @param {KeptFace[]} faces
 * @param {Prior} prior
 * @param {number} classes
 * @returns {Head} the most likely one under the prior; zero without faces
 * @throws {RangeError} if there are more than `MAX_FACES`
 */
export function fitHead(faces, prior, classes) {
  const units = unitsOf(faces);
  const residuals = fit(kernelOf(units, prior), faces, classes);
  const width = units[0]?.length ?? 0;
  const weights = Array.from({ length: classes }, () => new Float64Array(width));
  const bias = new Float64Array(classes);
  units.forEach((unit, index) => {
    for (let label = 0; label < classes; label += 1) {
      const share = residuals[label * units.length + index];
      bias[label] += prior.bias * share;
      for (let at = 0; at < width; at += 1) weights[label][at] += prior.weights * share * unit[at];
    }
  });
  return { weights, bias };
}

/**
 * Ask, for the faces of each take, a head that was fitted to all other takes; with more than 20 takes, in 20 parts.
 *
 * @param {KeptFace[]} faces
 * @param {Prior} prior
 * @param {number} classes
 * @returns {Check}
 * @throws {RangeError} if there are more than `MAX_FACES`
 */
export function checkHead(faces, prior, classes) {
  const kernel = kernelOf(unitsOf(faces), prior);
  const takes = [...new Set(faces.map(({ take }) => take))];
  const folds = faces.map(({ take }) => takes.indexOf(take) % FOLDS);
  const places = faces.map((_, index) => index);
  const after = faces.map(({ logits }) => Float64Array.from(logits));
  for (let fold = 0; fold < Math.min(FOLDS, takes.length); fold += 1) {
    const kept = places.filter((place) => folds[place] !== fold);
    const residuals = fit(
      kept.map((row) => Float64Array.from(kept, (column) => kernel[row][column])),
      kept.map((place) => faces[place]),
      classes,
    );
    for (const place of places.filter((other) => folds[other] === fold)) {
      kept.forEach((other, index) => {
        for (let label = 0; label < classes; label += 1) {
          after[place][label] += kernel[place][other] * residuals[label * kept.length + index];
        }
      });
    }
  }
  const right = faces.filter(({ label }, index) => indexOfLargest(after[index]) === label);
  return {
    faces: faces.length,
    rightBefore: faces.filter(({ logits, label }) => indexOfLargest(logits) === label).length,
    rightAfter: right.length,
    rightByLabel: Array.from({ length: classes }, (_, index) => right.filter(({ label }) => label === index).length),
    lossBefore: lossOf(faces, (index) => faces[index].logits),
    lossAfter: lossOf(faces, (index) => after[index]),
  };
}

/**
 * @param {Check} check
 * @returns {boolean} whether more faces are right than before; at a tie, whether the right answers got likelier
 */
export function helps({ rightBefore, rightAfter, lossBefore, lossAfter }) {
  return rightAfter === rightBefore ? lossAfter < lossBefore : rightAfter > rightBefore;
}

/**
 * @param {ArrayLike<number>} logits
 * @returns {Float64Array} probabilities
 */
export function softmax(logits) {
  const powers = Float64Array.from(logits);
  softmaxInPlace(powers);
  return powers;
}

function unitsOf(faces) {
  if (faces.length > MAX_FACES) throw new RangeError(`at most ${MAX_FACES} faces can be learned from, got ${faces.length}`);
  return faces.map(({ features }) => unitLength(features));
}

function kernelOf(units, prior) {
  return units.map((one) => Float64Array.from(units, (other) => prior.weights * dot(one, other) + prior.bias));
}

/**
 * The dual weights, a list of `count` for each class; `_fit` of the Python module explains the steps.
 *
 * Loops over flat arrays: the page must not stutter while it learns.
 */
function fit(kernel, faces, classes) {
  const count = faces.length;
  const damping = inverse(kernel.map((row, index) => row.map((value, other) => value / 2 + (index === other ? 1 : 0))));
  const dual = new Float64Array(count * classes);
  const gap = new Float64Array(count * classes);
  const adapted = new Float64Array(count * classes);
  faces.forEach(({ logits }, index) => {
    for (let label = 0; label < classes; label += 1) adapted[label * count + index] = logits[label];
  });
  const row = new Float64Array(classes);
  for (let step = 0; step < STEPS; step += 1) {
    for (let index = 0; index < count; index += 1) {
      for (let label = 0; label < classes; label += 1) row[label] = adapted[label * count + index];
      softmaxInPlace(row);
      for (let label = 0; label < classes; label += 1) {
        const at = label * count + index;
        gap[at] = (faces[index].label === label ? 1 : 0) - row[label] - dual[at];
      }
    }
    for (let label = 0; label < classes; label += 1) {
      for (let index = 0; index < count; index += 1) {
        let move = 0;
        for (let other = 0; other < count; other += 1) move += damping[index * count + other] * gap[label * count + other];
        dual[label * count + index] += move;
        adapted[label * count + index] += 2 * (gap[label * count + index] - move);
      }
    }
  }
  return dual;
}

function softmaxInPlace(values) {
  let largest = -Infinity;
  for (let at = 0; at < values.length; at += 1) largest = Math.max(largest, values[at]);
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) {
    values[at] = Math.exp(values[at] - largest);
    sum += values[at];
  }
  for (let at = 0; at < values.length; at += 1) values[at] /= sum;
}

/** The inverse of a symmetric, positive definite matrix, row after row, by Gauss and Jordan. */
function inverse(matrix) {
  const count = matrix.length;
  const values = new Float64Array(count * count);
  matrix.forEach((row, index) => values.set(row, index * count));
  for (let pivot = 0; pivot < count; pivot += 1) {
    const start = pivot * count;
    const scale = 1 / values[start + pivot];
    values[start + pivot] = 1;
    for (let at = start; at < start + count; at += 1) values[at] *= scale;
    for (let row = 0; row < count; row += 1) {
      if (row === pivot) continue;
      const times = values[row * count + pivot];
      values[row * count + pivot] = 0;
      for (let at = 0; at < count; at += 1) values[row * count + at] -= times * values[start + at];
    }
  }
  return values;
}

function dot(one, other) {
  let sum = 0;
  for (let at = 0; at < one.length; at += 1) sum += one[at] * other[at];
  return sum;
}

function indexOfLargest(values) {
  let best = 0;
  for (let at = 1; at < values.length; at += 1) if (values[at] > values[best]) best = at;
  return best;
}

function lossOf(faces, logitsOf) {
  if (!faces.length) return 0;
  const losses = faces.map(({ label }, index) => -Math.log(Math.max(softmax(logitsOf(index))[label], 1e-12)));
  return losses.reduce((sum, loss) => sum + loss, 0) / faces.length;
}
