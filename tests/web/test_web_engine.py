"""The engine for browsers gives what the Python core gives: the same pictures through both, in Node and in Chromium."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from face_expression import Pipeline
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.model.classifier import softmax
from face_expression.model.graphs import GRAPH_NAMES, graph_file
from face_expression.model.preprocess import cut_crop, region_of_detection
from face_expression.personal.head import unit_length
from tests.support.builders import REPOSITORY, calm_face, calm_photo, happy_face, happy_photo, moving, scene
from tests.support.needs import skip_or_fail

WEB = REPOSITORY / "web"
NODE_MISSING = "needs Node.js 18 or newer with npm; on Debian: apt install nodejs npm"
PACKAGES_MISSING = "needs the packages of web/package.json; get them by: make web"
MAX_PROBABILITY_DIFFERENCE = 0.005
MAX_BOX_DIFFERENCE_PX = 1
MIN_SAME_LABELS = 0.995


@dataclass(frozen=True)
class Answers:
    """What both made of the same pictures: faces for each frame, faces for each frame of a video, rows for crops."""

    frames: list[np.ndarray]
    python: dict[str, list]
    javascript: dict[str, list]


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js, with the packages of web/. Without them these tests skip on a person's machine and fail in CI."""
    path = shutil.which("node")
    if path is None:
        skip_or_fail(NODE_MISSING)
    if not (WEB / "node_modules").is_dir():
        skip_or_fail(PACKAGES_MISSING)
    return path


# What web/testing/analyze.js does, in a page of the app.
ANALYZE_IN_PAGE = """async (job) => {
    const ends = AbortSignal.timeout(120_000);
    const bytes = async (place) => new Uint8Array(await (await fetch(place, { signal: ends })).arrayBuffer());
    const { loadEngine } = await import("/live/engine/engine.js");
    const { GRAPH_NAMES } = await import("/live/engine/graphs.js");
    const { doJob } = await import("/do_job.js");
    const ort = await import("/live/files/ort");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = (await bytes("/live/files/wasm")).buffer;
    const graphs = {};
    for (const name of GRAPH_NAMES) graphs[name] = await bytes(`/live/files/${name}`);
    const engine = await loadEngine({
        ort,
        config: await (await fetch("/live/files/config")).json(),
        model: await bytes("/live/files/model"),
        graphs,
        detector: await bytes("/live/files/detector"),
    });
    const picture = async ({ file, width, height }) => ({ data: await bytes("/pictures" + file), width, height });
    return doJob(engine, job, picture);
}"""


@dataclass(frozen=True)
class Pictures:
    """The pictures that both classify: frames, the frames of a video at 20 a second, and crops."""

    frames: list[np.ndarray]
    video: list[np.ndarray]
    crops: list[np.ndarray]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return Pictures(list(made_frames()), moving(happy_face(), 20), made_crops())


@pytest.fixture(scope="module")
def job(pictures: Pictures, yunet_weights: Path, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("pictures")
    return job_for(
        yunet_weights,
        frames=[raw_file(folder / f"frame{i}", with_alpha(frame)) for i, frame in enumerate(pictures.frames)],
        video=[raw_file(folder / f"video{i}", frame) | {"time_s": i / 20} for i, frame in enumerate(pictures.video)],
        crops=[raw_file(folder / f"crop{i}", crop) for i, crop in enumerate(pictures.crops)],
    )


@pytest.fixture(scope="module")
def answers(job: dict, node, pictures: Pictures, yunet_pipeline: Pipeline, tmp_path_factory) -> Answers:
    python = {
        "frames": [yunet_pipeline.analyze(frame) for frame in pictures.frames],
        "video": tracked(yunet_pipeline, pictures.video),
        "crops": [yunet_pipeline.classify([crop])[0] for crop in pictures.crops],
    }
    return Answers(pictures.frames, python, run_node(node, job, tmp_path_factory.mktemp("job")))


def test_chromium_gives_what_node_gives(job, answers, installed_web, browsers, served_app):
    """A part of the pictures: both run the same WebAssembly."""
    every = {"frames": 6, "video": 1, "crops": 10}
    part = {name: job[name][::step] for name, step in every.items()}
    context = browsers.get([]).new_context()
    page = context.new_page()
    page.route("**/do_job.js", lambda route: route.fulfill(path=WEB / "testing" / "do_job.js"))
    page.route("**/pictures/**", lambda route: route.fulfill(path=route.request.url.split("/pictures", 1)[1]))
    page.goto(f"{served_app[0]}live/files/config")
    in_page = json.loads(page.evaluate(ANALYZE_IN_PAGE, job | part))
    context.close()
    assert {name: len(in_page[name]) for name in every} == {name: len(part[name]) for name in every}
    assert any(in_page["frames"]) and len(in_page["crops"]) >= 20
    for name, step in every.items():
        assert in_page[name] == answers.javascript[name][::step], name


def job_for(detector: Path, **pictures: list[dict]) -> dict:
    """What web/testing/analyze.js is to do with the embedded bundle."""
    nothing = {"frames": [], "video": [], "crops": []}
    bundle = {"config": str(EMBEDDED_BUNDLE / "config.json"), "model": str(EMBEDDED_BUNDLE / "model.onnx")}
    graphs = {name: str(EMBEDDED_BUNDLE / graph_file(name)) for name in GRAPH_NAMES}
    return {**bundle, "graphs": graphs, "detector": str(detector), **nothing, **pictures}


def run_node(node: str, job: dict, folder: Path) -> dict:
    result = ask_node(node, job, folder)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def ask_node(node: str, job: dict, folder: Path, *options: str) -> subprocess.CompletedProcess:
    (folder / "job.json").write_text(json.dumps(job))
    command = [node, *options, str(WEB / "testing" / "analyze.js"), str(folder / "job.json")]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def tracked(pipeline: Pipeline, video: list[np.ndarray]) -> list[list]:
    history, state = [], None
    for index, frame in enumerate(video):
        faces, state = pipeline.track(frame, state, index / 20)
        history.append(faces)
    return history


def raw_file(path: Path, picture: np.ndarray) -> dict:
    path.write_bytes(picture.tobytes())
    return {"file": str(path), "width": picture.shape[1], "height": picture.shape[0]}


def with_alpha(frame: np.ndarray) -> np.ndarray:
    """The frame as a canvas gives it."""
    return np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)])


def lit(picture: np.ndarray, gain: float, offset: float) -> np.ndarray:
    return np.clip(picture * gain + offset, 0, 255).astype(np.uint8)


def turned(picture: np.ndarray, angle_deg: float) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).rotate(angle_deg, resample=Image.Resampling.BILINEAR))


def made_frames() -> Iterator[np.ndarray]:
    """Two faces moved, scaled, turned and lit; several of them; none; and frames of odd sizes."""
    happy, calm = happy_face(), calm_face()
    for picture, (left, top, side) in product(
        (happy, calm), [(0, 0, 90), (250, 90, 150), (420, -30, 300), (80, 0, 470)]
    ):
        yield scene([(picture, left, top, side)])
    for picture, angle_deg in product((happy, calm), (-40, -15, 7, 25)):
        yield scene([(turned(picture, angle_deg), 160, 80, 320)])
    for picture, (gain, offset) in product((happy, calm), [(0.15, 0), (0.5, -10), (1.4, 30), (0.3, 170)]):
        yield scene([(lit(picture, gain, offset), 200, 100, 260)])
    for picture, blur_px in product((happy, calm), (2, 6)):
        yield scene([(cv2.GaussianBlur(picture, (0, 0), blur_px), 200, 100, 260)])
    yield scene([(cv2.GaussianBlur(turned(happy, 35), (0, 0), 8), 200, 100, 300)])
    yield scene([(happy, 20, 60, 260), (calm, 340, 100, 280)])
    yield scene([(happy, 20, 20, 200), (calm, 240, 20, 200), (happy[:, ::-1], 430, 200, 200)])
    yield scene([(calm, 10, 10, 120), (happy, 150, 30, 150), (calm[:, ::-1], 320, 200, 220), (happy, 560, 20, 70)])
    yield scene([(happy, -80, 100, 300), (calm, 500, -60, 260)])
    for photo in (happy_photo(), calm_photo()):
        for width, height in [(320, 320), (301, 417), (160, 120), (640, 640), (1100, 900)]:
            yield cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    yield calm_photo()[100:420, 150:400]
    yield happy_photo()[:, ::-1].copy()
    yield happy_photo()[::-1].copy()
    for size in [(1, 1), (1, 640), (640, 2), (37, 399), (240, 320), (480, 640)]:
        yield np.full((*size, 3), 127, np.uint8)
    yield np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    # Too small for the first resolution, so that the second one finds it.
    yield scene([(happy, 300, 200, 44)])
    yield scene([(calm, 100, 100, 48), (happy, 400, 300, 46)], width=1280, height=720)


def made_crops() -> list[np.ndarray]:
    """Heads cut at many places, sizes and angles, in colour and grey, lit differently."""
    crops = []
    rng = np.random.default_rng(0)
    for index in range(200):
        picture = turned((happy_face(), calm_face())[index % 2], float(rng.uniform(-20, 20)))
        side = round(picture.shape[0] * rng.uniform(0.5, 0.95))
        left, top = rng.integers(0, picture.shape[0] - side, 2)
        size = int(rng.choice([24, 48, 64, 97, 200, 480]))
        crop = cv2.resize(picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_LINEAR)
        crop = lit(crop, rng.uniform(0.3, 1.3), rng.uniform(-20, 60))
        crops.append(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if index % 3 == 0 else crop)
    return [*crops, crops[1][:, : crops[1].shape[1] // 2].copy(), np.full((1, 1), 9, np.uint8)]


def largest_differences(python: list[np.ndarray], javascript: list[list[float]]) -> np.ndarray:
    """For each row the largest difference of two probabilities, once the labels are seen to be the same."""
    expected, got = np.array(python), np.array(javascript)
    assert (expected.argmax(axis=1) == got.argmax(axis=1)).mean() >= MIN_SAME_LABELS
    return abs(expected - got).max(axis=1)


def paired(answers: Answers, part: str) -> list[tuple]:
    """Each face that Python found with the one that JavaScript found in the same place of its list."""
    both = list(zip(answers.python[part], answers.javascript[part], strict=True))
    assert [len(faces) for faces, _ in both] == [len(faces) for _, faces in both]
    return [pair for expected, got in both for pair in zip(expected, got, strict=True)]


def test_crops_get_the_same_probabilities(answers):
    assert len(answers.python["crops"]) >= 200
    differences = largest_differences(answers.python["crops"], answers.javascript["crops"])
    assert differences.max() <= MAX_PROBABILITY_DIFFERENCE


def test_frames_show_the_same_faces(answers):
    assert len(answers.frames) >= 50
    assert {0, 1, 2, 3, 4} <= {len(faces) for faces in answers.python["frames"]}
    for expected, got in paired(answers, "frames"):
        np.testing.assert_allclose(got["box"], expected.box, atol=MAX_BOX_DIFFERENCE_PX)
        np.testing.assert_allclose(got["landmarks"], expected.landmarks, atol=MAX_BOX_DIFFERENCE_PX)
        assert got["score"] == pytest.approx(expected.score, abs=0.01)
        assert got["confidence"] == pytest.approx(expected.confidence, abs=MAX_PROBABILITY_DIFFERENCE)
        assert got["trackId"] is None


def test_faces_in_frames_get_the_same_probabilities(answers):
    faces = paired(answers, "frames")
    differences = largest_differences(
        [face.probabilities for face, _ in faces], [face["probabilities"] for _, face in faces]
    )
    assert differences.max() <= MAX_PROBABILITY_DIFFERENCE


def test_the_same_faces_are_not_sure_for_the_same_reasons(answers):
    faces = paired(answers, "frames")
    assert {reason for face, _ in faces for reason in face.reasons} >= {"too small", "too dark", "blurred"}
    assert {"no clear expression"} <= {reason for face, _ in faces for reason in face.reasons}
    same = [
        list(expected.reasons) == got["reasons"] and expected.reliable == got["reliable"] for expected, got in faces
    ]
    assert np.mean(same) >= MIN_SAME_LABELS


def test_a_crop_is_the_same_to_the_last_bit(answers, yunet_pipeline):
    """From the box that JavaScript found, Python cuts what JavaScript cut, and sees in it what JavaScript saw."""
    settings = yunet_pipeline.config.preprocessing
    crops, probabilities = [], []
    for frame, faces in zip(answers.frames, answers.javascript["frames"], strict=True):
        for face in faces:
            x0, y0, x1, y1 = face["box"]
            if x0 == 0 or y0 == 0 or x1 == frame.shape[1] or y1 == frame.shape[0]:
                # The box was cut at the frame's edge; what it was before decides about the crop.
                continue
            region = region_of_detection(face["box"], face["landmarks"], settings.yunet.crop, settings.crop)
            crops.append(cut_crop(frame, region, settings.crop))
            np.testing.assert_array_equal(np.reshape(face["crop"]["data"], crops[-1].shape), crops[-1])
            probabilities.append(face["probabilities"])
    assert len(crops) >= 50
    assert largest_differences(yunet_pipeline.classify(crops), probabilities).max() <= MAX_PROBABILITY_DIFFERENCE


def test_a_video_is_followed_alike(answers):
    faces = paired(answers, "video")
    assert len(faces) == 20
    differences = largest_differences(
        [face.probabilities for face, _ in faces], [face["probabilities"] for _, face in faces]
    )
    assert differences.max() <= MAX_PROBABILITY_DIFFERENCE
    assert [face.label for face, _ in faces] == [face["label"] for _, face in faces]
    assert [face.track_id for face, _ in faces] == [face["trackId"] for _, face in faces]
    # Those of the crops that were not mirrored, though every second one was.
    for expected, got in faces:
        np.testing.assert_allclose(softmax(np.array([got["logits"]])), softmax(expected.logits[None]), atol=0.005)
        assert unit_length(np.array([got["features"]]))[0] @ unit_length(expected.features[None])[0] > 0.999
    features = [face.features for face, _ in faces]
    assert [np.array_equal(*pair) for pair in pairwise(features)] == [True, False] * 9 + [True]


def test_faces_of_the_data_set_get_the_same_probabilities(node, ferplus, yunet_pipeline, yunet_weights, tmp_path):
    images = pq.read_table(ferplus / "test.parquet", columns=["image"]).slice(0, 300)["image"].to_pylist()
    crops = [np.asarray(Image.open(io.BytesIO(image["bytes"]))) for image in images]
    job = job_for(yunet_weights, crops=[raw_file(tmp_path / f"crop{i}", crop) for i, crop in enumerate(crops)])
    differences = largest_differences(yunet_pipeline.classify(crops), run_node(node, job, tmp_path)["crops"])
    assert differences.max() <= MAX_PROBABILITY_DIFFERENCE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config": "[]"}, "not a bundle of this project"),
        ({"config": '{"label_names": [], "face_expression": {"schema_version": 3}}'}, "schema version 3"),
        ({"config": '{"label_names": [], "face_expression": {"schema_version": 2}}'}, "preprocessing.yunet is missing"),
        ({"model": "nonsense"}, "cannot load the model"),
        ({"detector": "nonsense"}, "cannot load the face detector"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_reported(change, words, node, yunet_weights, tmp_path):
    ((part, content),) = change.items()
    (tmp_path / part).write_text(content)
    # What is run once need not be optimised.
    result = ask_node(node, job_for(yunet_weights) | {part: str(tmp_path / part)}, tmp_path, "--liftoff-only")
    assert result.returncode != 0 and words in result.stderr and "BundleError" in result.stderr


# One process for all of them; `node --test` starts one for each file, and each would load ONNX Runtime anew.
# Which language the texts have is chosen as they are loaded, so the German ones need a process of their own.
ONE_PROCESS_EACH = ["english", "german"]
RUN_MODULE_TESTS = """import { readdirSync } from "node:fs";
const wanted = readdirSync("test").filter((name) => name.startsWith("german") === (process.argv[1] === "german"));
for (const name of wanted) await import(`${process.cwd()}/test/${name}`);"""


def test_the_modules_pass_their_own_tests(node):
    passed = 0
    for which in ONE_PROCESS_EACH:
        command = [node, "--input-type=module", "-e", RUN_MODULE_TESTS, which]
        result = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0 and "\n# fail 0\n" in result.stdout, result.stdout
        passed += int(re.search(r"\n# pass (\d+)\n", result.stdout)[1])
    assert passed > 200
