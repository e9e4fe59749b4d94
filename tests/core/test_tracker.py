import json

import numpy as np
import pytest

from face_expression.model.config import EMBEDDED_CONFIG, read_bundle_config
from face_expression.tracker import TrackerState, match_tracks, update_tracks
from tests.support.builders import SUPPORT

SETTINGS = read_bundle_config(EMBEDDED_CONFIG).tracker
TABLE = json.loads((SUPPORT / "tracker_cases.json").read_text(encoding="utf-8"))
LEFT = (0.0, 0.0, 100.0, 100.0)
FIRST, SECOND = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def play(frames, settings=SETTINGS):
    """Run (time_s, boxes, rows) through the tracker; the tracks of each frame."""
    return [tracks for tracks, _ in play_views(frames, settings)]


def play_views(frames, settings=SETTINGS):
    """As `play`, with whether the mirror image of each face is classified."""
    state, history = TrackerState(), []
    for time_s, boxes, rows in frames:
        matching = match_tracks(state, boxes, time_s, settings)
        tracks, state = update_tracks(state, boxes, np.array(rows, np.float32), time_s, settings, matching=matching)
        history.append((tracks, matching.mirrored(settings)))
    return history


def test_the_table_is_written_for_the_settings_in_use():
    settings = SETTINGS.model_dump()
    assert {name: settings[name] for name in TABLE["settings"]} == TABLE["settings"]


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_what_javascript_must_do_as_well(case):
    """`web/test/tracker.test.js` reads the same table."""
    frames = case["frames"]
    history = play_views([(frame["time_s"], frame["boxes"], frame["probabilities"]) for frame in frames])
    for frame, (tracks, mirrored) in zip(frames, history, strict=True):
        assert [track.track_id for track in tracks] == frame["track_ids"]
        assert [track.shown for track in tracks] == frame["shown"]
        if "mirrored" in frame:
            assert mirrored == frame["mirrored"]
        if "search_boxes" in frame:
            assert [list(track.search_box) for track in tracks] == frame["search_boxes"]
        if "smoothed" in frame:
            np.testing.assert_allclose([track.probabilities for track in tracks], frame["smoothed"], atol=1e-4)


@pytest.mark.parametrize("frames_per_s", [2, 5, 30, 120])
def test_smoothing_does_not_depend_on_the_frame_rate(frames_per_s):
    times = np.arange(1, frames_per_s + 1) / frames_per_s
    last = play([(0, [LEFT], [FIRST])] + [(time_s, [LEFT], [SECOND]) for time_s in times])[-1][0]
    assert last.probabilities[1] == pytest.approx(1 - np.exp(-1 / SETTINGS.time_constant_s), abs=1e-4)


def test_the_shown_label_changes_only_with_a_lead():
    wavering = [(0.1 * step, [LEFT], [[0.49, 0.51] if step % 2 else [0.51, 0.49]]) for step in range(50)]
    assert {tracks[0].shown for tracks in play(wavering)} == {0}
    decided = [(0, [LEFT], [FIRST])] + [(0.1 * step, [LEFT], [SECOND]) for step in range(1, 11)]
    shown = [tracks[0].shown for tracks in play(decided)]
    assert shown[0] == 0 and shown[-1] == 1 and sorted(shown) == shown


@pytest.mark.parametrize("frames_per_s", [8, 10, 15, 30, 120])
def test_a_still_face_stays_still_though_its_mirror_image_differs(frames_per_s):
    """Two seconds after it came, its bars are the mean of both, and do not move by a hundredth of a point."""
    views, state, shown = ([0.55, 0.45], [0.35, 0.65]), TrackerState(), []
    for step in range(4 * frames_per_s):
        time_s = step / frames_per_s
        matching = match_tracks(state, [LEFT], time_s, SETTINGS)
        (is_mirrored,) = matching.mirrored(SETTINGS)
        rows = np.array([views[is_mirrored]], np.float32)
        (track,), state = update_tracks(state, [LEFT], rows, time_s, SETTINGS, matching=matching)
        shown.append((track.shown, *track.probabilities))
    late = np.array(shown[2 * frames_per_s :])
    np.testing.assert_allclose(late[:, 1:], [[0.45, 0.55]] * len(late), atol=1e-3)
    assert np.ptp(late[-frames_per_s:], axis=0).max() < 1e-4


def test_a_bundle_may_say_that_nothing_is_mirrored():
    settings = SETTINGS.model_copy(update={"mirror_within_s": 0.0})
    history = play_views([(step / 30, [LEFT], [SECOND if step else FIRST]) for step in range(30)], settings)
    assert not any(mirrored for _, (mirrored,) in history)


@pytest.mark.parametrize("time_s", [float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(time_s):
    with pytest.raises(ValueError, match="finite"):
        play([(time_s, [LEFT], [FIRST])])


def test_states_are_values():
    tracks, state = update_tracks(TrackerState(), [LEFT], FIRST[None], 0, SETTINGS)
    update_tracks(state, [LEFT], SECOND[None], 5, SETTINGS)
    again, _ = update_tracks(state, [LEFT], FIRST[None], 0.1, SETTINGS)
    assert again[0].track_id == tracks[0].track_id
    np.testing.assert_allclose(again[0].probabilities, FIRST)
