"""Whatever is handed to the core's public doors, only documented errors come out."""

import asyncio
import io
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from face_expression import (
    BundleError,
    Face,
    PictureError,
    TrackerState,
    annotate,
    encode_jpeg,
    face_summary,
    read_picture,
)
from face_expression.boxes import iou_matrix
from face_expression.model.config import EMBEDDED_CONFIG, read_bundle_config
from face_expression.tracker import update_tracks
from space.live.sessions import RefusedError, Viewers
from space.suggestions import load_suggestions
from tests.support.builders import happy_face

SETTINGS = read_bundle_config(EMBEDDED_CONFIG).tracker
# The same cases every time, so that a failure is a change's and not chance's; nothing here is about time.
fuzzed = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DTYPES = st.sampled_from([np.uint8, np.uint8, np.uint8, np.int8, np.uint16, np.float32, np.float64, np.bool_, object])
SHAPES = st.one_of(
    st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from([3, 3, 3, 1, 4, 0])),
    st.lists(st.integers(0, 6), max_size=4).map(tuple),
    st.sampled_from([(1, 1, 3), (1, 900, 3), (900, 1, 3), (33, 31, 3), (1, 4000, 3)]),
)


@st.composite
def any_array(draw) -> np.ndarray:
    """An array of any kind, with noise, a constant or something like a face in it; sometimes a strange view."""
    shape, dtype = draw(SHAPES), draw(DTYPES)
    if draw(st.booleans()):
        shape, dtype = (*draw(st.tuples(st.integers(1, 300), st.integers(1, 300))), 3), np.uint8
    if dtype is object:
        return np.full(shape, None, object)
    seed = draw(st.integers(0, 2**32 - 1))
    array = np.random.default_rng(seed).integers(0, draw(st.sampled_from([1, 2, 256])), shape).astype(dtype)
    if draw(st.booleans()) and array.ndim == 3 and min(array.shape[:2]) > 1:
        array = array[::-1, ::2]
    return array


NOT_ARRAYS = st.sampled_from([None, 3, "frame", b"frame", [[1, 2, 3]], happy_face().tolist()[:2], {}])


def is_rgb(frame: object) -> bool:
    return (
        isinstance(frame, np.ndarray)
        and frame.dtype == np.uint8
        and frame.ndim == 3
        and frame.shape[2] == 3
        and frame.size > 0
    )


def is_crop(crop: object) -> bool:
    return is_rgb(crop) or (
        isinstance(crop, np.ndarray) and crop.dtype == np.uint8 and crop.ndim == 2 and crop.size > 0
    )


def require_faces(faces: list[Face], labels: tuple[str, ...]) -> None:
    for face in faces:
        assert face.label in labels and 0 <= face.confidence <= 1
        assert face.probabilities.sum() == pytest.approx(1, abs=1e-3) and (face.probabilities >= 0).all()
        assert all(math.isfinite(value) for value in face.box) and face.reliable == (not face.reasons)
        assert face_summary(face)


@fuzzed
@given(frame=any_array() | NOT_ARRAYS)
def test_any_array_is_analysed_or_refused(frame, pipeline):
    if not is_rgb(frame):
        with pytest.raises(ValueError, match="expected an RGB uint8 array"):
            pipeline.analyze(frame)
        return
    before = frame.copy()
    faces = pipeline.analyze(frame)
    require_faces(faces, pipeline.label_names)
    drawn = annotate(frame, faces, pipeline.label_names, numbered=True)
    assert drawn.shape == frame.shape and np.array_equal(frame, before)


@fuzzed
@given(crops=st.lists(any_array() | NOT_ARRAYS, max_size=3))
def test_any_crops_are_judged_or_refused(crops, yunet_pipeline):
    if not all(map(is_crop, crops)):
        with pytest.raises(ValueError):
            yunet_pipeline.classify(crops)
        return
    rows = yunet_pipeline.classify(crops)
    assert rows.shape == (len(crops), 7)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-3)


@settings(fuzzed, max_examples=40)
@given(
    times=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=5),
    left=st.integers(-200, 400),
    side=st.integers(20, 260),
)
@example(times=[1e308, 0.0], left=0, side=20)
def test_any_order_of_times_is_followed_or_refused(times, left, side, yunet_pipeline):
    frame = np.full((240, 320, 3), 110, np.uint8)
    face = happy_face()
    x0, x1 = max(left, 0), min(left + side, 320)
    if x1 > x0:
        frame[20:220, x0:x1] = face[:200, : x1 - x0] if x1 - x0 <= 200 else 90
    state = None
    for time_s in times:
        if not math.isfinite(time_s):
            with pytest.raises(ValueError, match="finite"):
                yunet_pipeline.track(frame, state, time_s)
            continue
        faces, state = yunet_pipeline.track(frame, state, time_s)
        require_faces(faces, yunet_pipeline.label_names)


BOXES = st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 4), max_size=4)


@fuzzed
@given(steps=st.lists(st.tuples(BOXES, st.floats(-1e9, 1e9)), max_size=6), seed=st.integers(0, 2**32 - 1))
def test_any_boxes_are_followed(steps, seed):
    """Boxes of no size, turned inside out or far outside; times that jump back."""
    random, state, seen = np.random.default_rng(seed), TrackerState(), set()
    for boxes, time_s in steps:
        rows = random.dirichlet(np.ones(7), len(boxes)).astype(np.float32)
        tracks, state = update_tracks(state, boxes, rows, time_s, SETTINGS)
        assert [track.box for track in tracks] == boxes
        ids = [track.track_id for track in tracks]
        assert len(set(ids)) == len(ids) and all(
            track.probabilities.sum() == pytest.approx(1, abs=1e-3) for track in tracks
        )
        seen |= set(ids)
        assert max(seen, default=0) < state.next_id


@fuzzed
@given(first=BOXES, second=BOXES)
def test_overlaps_of_any_boxes_are_shares(first, second):
    overlap = iou_matrix(np.array(first, np.float64).reshape(-1, 4), np.array(second, np.float64).reshape(-1, 4))
    assert overlap.shape == (len(first), len(second))
    assert ((overlap >= 0) & (overlap <= 1)).all()


def pictures() -> st.SearchStrategy[bytes]:
    """Bytes of any kind; and real JPEG, PNG and others with bytes changed, cut off or put in."""
    from PIL import Image

    def encoded(form: str) -> bytes:
        file = io.BytesIO()
        Image.fromarray(happy_face()).save(file, form)
        return file.getvalue()

    real = st.sampled_from([encoded(form) for form in ("JPEG", "PNG", "WEBP", "BMP", "GIF")])
    damage = st.tuples(st.floats(0, 1), st.binary(max_size=12), st.booleans())

    def damaged(content: bytes, wounds: list[tuple[float, bytes, bool]]) -> bytes:
        for place, put, cut in wounds:
            at = int(place * len(content))
            content = content[:at] + put + (b"" if cut else content[at + len(put) :])
        return content

    return st.one_of(st.binary(max_size=300), st.builds(damaged, real, st.lists(damage, max_size=3)))


@fuzzed
@given(content=pictures())
def test_any_bytes_are_a_picture_or_a_picture_error(content):
    try:
        picture = read_picture(io.BytesIO(content))
    except PictureError as error:
        assert str(error)
        return
    assert is_rgb(picture)
    assert encode_jpeg(picture).startswith(b"\xff\xd8")


@fuzzed
@given(
    content=pictures(),
    viewer=st.text(max_size=80),
    time_s=st.floats(),
    scene=st.integers(-3, 2**70),
)
def test_any_frame_of_a_viewer_is_looked_at_or_refused(content, viewer, time_s, scene, yunet_pipeline):
    async def look():
        return await asyncio.wait_for(Viewers(yunet_pipeline).look(viewer, content, time_s, scene), 20)

    try:
        faces = asyncio.run(look())
    except RefusedError as error:
        assert str(error)
        return
    require_faces(faces or [], yunet_pipeline.label_names)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@fuzzed
@given(content=st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_configuration_is_read_or_refused(content, tmp_path):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(BundleError):
        read_bundle_config(tmp_path / "config.json")


@fuzzed
@given(content=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_file_of_suggestions_is_refused_in_words(content, tmp_path):
    (tmp_path / "suggestions.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"suggestions\.yaml"):
        load_suggestions(tmp_path / "suggestions.yaml")
