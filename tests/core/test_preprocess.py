import cv2
import numpy as np
import pytest

from face_expression.model.config import ContrastSettings, CropRule, CropSettings, InputSettings
from face_expression.model.preprocess import (
    CropRegion,
    cut_crop,
    region_of_detection,
    require_rgb,
    to_model_inputs,
    whole_image_region,
)
from tests.support.builders import happy_photo

CROP = CropSettings(size_px=48, oversampling=2, level_eyes=True, max_levelling_deg=45, max_shrink=16)
GREY_INPUT = InputSettings(
    size_px=96, channels=1, grey_weights=(0.299, 0.587, 0.114), mean=(0.5,), std=(0.25,), resize="bilinear"
)
COLOR_INPUT = InputSettings(
    size_px=48, channels=3, grey_weights=(0.299, 0.587, 0.114), mean=(0, 0, 0), std=(1, 1, 1), resize="bilinear"
)


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_the_crops_size_is_its_own_crop(noise, channels):
    image = noise if channels == 3 else noise[..., 0]
    np.testing.assert_array_equal(cut_crop(image, whole_image_region(48, 48), CROP), image)


def test_a_large_face_is_averaged_not_sampled():
    stripes = np.zeros((480, 480), np.uint8)
    stripes[:, ::2] = 200
    crop = cut_crop(stripes, whole_image_region(480, 480), CROP)
    assert abs(crop.astype(int) - 100).max() <= 25


@pytest.mark.parametrize("side", [768, 1536, 3072, 3333])
def test_noise_is_averaged_at_any_size(side):
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    averaged = cv2.resize(noise, (48, 48), interpolation=cv2.INTER_AREA)
    assert cut_crop(noise, whole_image_region(side, side), CROP).std() < 1.5 * averaged.std()


def test_a_large_face_lies_where_a_small_one_does():
    """The same scene at twenty times the resolution gives nearly the same crop, wherever the region lies in it."""
    small = cv2.resize(happy_photo(), (100, 100), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (2000, 2000), interpolation=cv2.INTER_LINEAR)
    for center_x, center_y, side, angle in [(44, 23, 30, 0), (44, 23, 60, 12), (5, 90, 48, -20), (99, 0, 40, 0)]:
        crops = [
            cut_crop(frame, CropRegion(center_x * scale, center_y * scale, side * scale, angle), CROP)
            for frame, scale in ((small, 1), (large, 20))
        ]
        assert abs(crops[0].astype(int) - crops[1]).mean() < 3


@pytest.mark.parametrize("side", [1.0, 47.0, 49.0, 385.0, 5000.0])
def test_any_side_gives_the_crops_size(noise, side):
    assert cut_crop(noise, CropRegion(10, 10, side, 7.0), CROP).shape == (48, 48, 3)


def test_beyond_the_frame_the_border_is_repeated():
    image = np.full((10, 10), 90, np.uint8)
    np.testing.assert_array_equal(cut_crop(image, CropRegion(0, 0, 48, 0), CROP), 90)


def test_eyes_are_levelled():
    image = np.zeros((200, 200), np.uint8)
    landmarks = ((70.0, 80.0), (130.0, 110.0), (95.0, 120.0), (80.0, 140.0), (110.0, 155.0))
    for x, y in landmarks[:2]:
        image[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] = 255
    region = region_of_detection((50, 50, 150, 170), landmarks, CropRule(scale=1.2, shift_x=0, shift_y=0), CROP)
    assert region.angle_deg == pytest.approx(26.57, abs=1 / 16)
    rows, columns = np.nonzero(cut_crop(image, region, CROP) > 128)
    left, right = rows[columns < 24], rows[columns >= 24]
    assert len(left) and len(right)
    assert abs(left.mean() - right.mean()) < 1


@pytest.mark.parametrize(
    ("box", "rule", "expected"),
    [
        ((0, 0, 100, 100), (1.0, 0.0, 0.0), (50, 50, 100)),
        ((0, 0, 50, 200), (1.5, 0.0, 0.0), (25, 100, 150)),
        ((0, 0, 100, 100), (1.0, 0.1, -0.2), (60, 30, 100)),
        ((7, 7, 7, 7), (1.0, 0.0, 0.0), (7, 7, 1)),
    ],
)
def test_region_follows_the_rule(box, rule, expected):
    region = region_of_detection(box, None, CropRule(scale=rule[0], shift_x=rule[1], shift_y=rule[2]), CROP)
    assert (region.center_x, region.center_y, region.side_px) == pytest.approx(expected)
    assert region.angle_deg == 0


@pytest.mark.parametrize("turn_deg", [0, 30, 90, 135, 180, -90, -150])
def test_a_face_stands_upright_in_its_crop_however_it_is_turned(turn_deg):
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    upright = [(-15, -20), (15, -20), (0, 0), (-10, 20), (10, 20)]
    landmarks = tuple((100 + cos * x - sin * y, 100 + sin * x + cos * y) for x, y in upright)
    image = np.zeros((200, 200), np.uint8)
    for x, y in landmarks[:2]:
        image[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4] = 255
    region = region_of_detection((60, 60, 140, 140), landmarks, CropRule(scale=1.2, shift_x=0, shift_y=0), CROP)
    rows, columns = np.nonzero(cut_crop(image, region, CROP) > 100)
    assert rows.max() < 24 and columns.min() < 20 and columns.max() > 28
    assert abs(rows[columns < 24].mean() - rows[columns >= 24].mean()) < 1


def test_builds_that_differ_by_a_hair_cut_the_same_pixels():
    rule = CropRule(scale=1.087, shift_x=0.01, shift_y=0.02)
    landmarks = ((70.3, 80.1), (130.2, 90.7), (95.0, 120.0), (80.0, 140.0), (110.0, 155.0))
    box, moved = (50.31, 50.72, 150.11, 170.9), (50.31002, 50.71998, 150.11002, 170.90002)
    assert region_of_detection(box, landmarks, rule, CROP) == region_of_detection(moved, landmarks, rule, CROP)


def test_eyes_of_a_profile_do_not_turn_the_crop():
    landmarks = ((50.0, 50.0), (51.0, 70.0), (60.0, 60.0), (50.5, 80.0), (50.5, 80.0))
    region = region_of_detection((0, 0, 100, 100), landmarks, CropRule(scale=1, shift_x=0, shift_y=0), CROP)
    assert region.angle_deg == 0


@pytest.mark.parametrize("channel, grey", [(0, 59.8), (1, 117.4), (2, 22.8)])
def test_grey_weighs_red_green_and_blue_in_that_order(channel, grey):
    image = np.zeros((48, 48, 3), np.uint8)
    image[..., channel] = 200
    (found,) = to_model_inputs([image], GREY_INPUT)
    np.testing.assert_allclose(found, (grey / 255 - 0.5) / 0.25, atol=1e-3)


def test_model_input_is_normalised_and_enlarged():
    crop = np.full((48, 48), 255, np.uint8)
    (model_input,) = to_model_inputs([crop], GREY_INPUT)
    assert model_input.shape == (1, 96, 96) and model_input.dtype == np.float32
    np.testing.assert_allclose(model_input, 2.0)


def test_color_networks_get_rgb_and_grey_is_repeated(noise):
    color, grey = to_model_inputs([noise, noise[..., 0]], COLOR_INPUT)
    np.testing.assert_allclose(color, noise.transpose(2, 0, 1) / 255, rtol=1e-6)
    np.testing.assert_array_equal(grey[0], grey[2])
    assert to_model_inputs([], COLOR_INPUT).shape == (0, 3, 48, 48)


def test_contrast_is_brought_to_what_is_wanted():
    """One value for all channels; a crop flatter than `min_std` is stretched no further than one of `min_std`."""
    contrast = ContrastSettings(mean=100, std=40, min_std=10)
    settings = COLOR_INPUT.model_copy(update={"contrast": contrast})
    rng = np.random.default_rng(1)
    lively = rng.normal(128, 20, (48, 48, 3)).clip(0, 255).astype(np.uint8)
    flat = np.full((48, 48, 3), 60, np.uint8)
    flat[::2] = 62
    found = to_model_inputs([lively, flat], settings) * 255
    assert found[0].mean() == pytest.approx(100, abs=0.5) and found[0].std() == pytest.approx(40, abs=0.5)
    assert found[1].mean() == pytest.approx(100, abs=0.1) and found[1].std() == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((4, 4), np.uint8), "uint8 (4, 4)"),
        (np.zeros((4, 4, 4), np.uint8), "uint8 (4, 4, 4)"),
        (np.zeros((4, 4, 3), np.float32), "float32 (4, 4, 3)"),
        (np.zeros((0, 4, 3), np.uint8), "uint8 (0, 4, 3)"),
        ([[0]], "list"),
        (None, "NoneType"),
    ],
)
def test_a_frame_of_another_kind_is_described_in_the_error(frame, message):
    with pytest.raises(ValueError, match="RGB uint8") as error:
        require_rgb(frame)
    assert message in str(error.value)
