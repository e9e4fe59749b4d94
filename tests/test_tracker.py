import numpy as np
import pytest

from face_expression.tracker import TrackerSettings, TrackerState, update_tracks

SETTINGS = TrackerSettings()
LEFT, RIGHT = (0.0, 0.0, 100.0, 100.0), (300.0, 0.0, 400.0, 100.0)
FIRST, SECOND = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def play(frames, settings=SETTINGS):
    """Run (time_s, boxes, rows) through the tracker; the tracks of each frame."""
    state, history = TrackerState(), []
    for time_s, boxes, rows in frames:
        rows = np.array(rows, np.float32).reshape(len(boxes), 2)
        tracks, state = update_tracks(state, boxes, rows, time_s, settings)
        history.append(tracks)
    return history


def test_nobody():
    assert play([(0, [], []), (1, [], [])]) == [[], []]


def test_faces_keep_their_numbers_when_their_order_changes():
    first, second = play([(0, [LEFT, RIGHT], [FIRST, SECOND]), (0.1, [RIGHT, LEFT], [SECOND, FIRST])])
    assert [track.track_id for track in first] == [1, 2]
    assert [track.track_id for track in second] == [2, 1]
    np.testing.assert_allclose(second[0].probabilities, SECOND)


def test_a_quick_head_is_kept_and_a_distant_face_is_new():
    moved, far = (80.0, 0.0, 180.0, 100.0), (600.0, 0.0, 700.0, 100.0)
    assert play([(0, [LEFT], [FIRST]), (0.1, [moved], [FIRST])])[1][0].track_id == 1
    assert play([(0, [LEFT], [FIRST]), (0.1, [far], [FIRST])])[1][0].track_id == 2


@pytest.mark.parametrize(("away_s", "expected"), [(0.9, 1), (1.1, 2)])
def test_a_face_is_remembered_for_a_while(away_s, expected):
    assert play([(0, [LEFT], [FIRST]), (away_s, [LEFT], [FIRST])])[1][0].track_id == expected


@pytest.mark.parametrize("frames_per_s", [5, 30, 120])
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


def test_a_clock_that_goes_back_stands_still():
    back = play([(10, [LEFT], [FIRST]), (3, [LEFT], [SECOND]), (10.25, [LEFT], [SECOND])])
    np.testing.assert_allclose(back[1][0].probabilities, FIRST)
    assert back[2][0].probabilities[1] == pytest.approx(1 - np.exp(-1), abs=1e-4)


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
