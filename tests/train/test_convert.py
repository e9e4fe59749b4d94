"""Weights from elsewhere: a drawn package in the format of the real one, and bundles whose checkpoint is gone."""

import json
import tarfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from face_expression.hub.download import EMBEDDED_BUNDLE, open_bundle
from face_expression.model.classifier import Classifier, softmax
from face_expression.model.config import read_preprocessing
from face_expression.model.preprocess import to_model_inputs
from tests.support.builders import REPOSITORY
from tests.support.training import SMALL, TINY, output_of, parquet, require_success, train
from train.convert.from_human import read_faceres
from train.convert.package import open_package
from train.data.dataset import load_split, read_crops
from train.export.step import load_checkpoint

# MobileNet v1, of the paper: stride and output channels of each pair of a depthwise and a 1x1 convolution.
STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
WIDTHS = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]


def draw_weights() -> dict[str, np.ndarray]:
    """Weights by TensorFlow's names, with which activations neither die nor grow."""
    rng = np.random.default_rng(0)

    def draw(*shape: int, inputs: int) -> np.ndarray:
        return rng.normal(0, (2 / inputs) ** 0.5, shape)

    weights = {
        "conv1/convolution/merged_input": draw(3, 3, 3, 32, inputs=27) / 128,
        "conv1_bn/batchnorm_1/sub": rng.normal(0, 0.3, 32),
    }
    width = 32
    for number, wider in enumerate(WIDTHS, 1):
        weights[f"conv_dw_{number}/depthwise_kernel"] = draw(3, 3, width, 1, inputs=9)
        weights[f"conv_dw_{number}_bn/batchnorm_1/mul"] = rng.uniform(0.5, 2, width)
        weights[f"conv_dw_{number}_bn/batchnorm_1/sub"] = rng.normal(0, 0.3, width)
        weights[f"conv_pw_{number}/convolution/merged_input"] = draw(1, 1, width, wider, inputs=width)
        weights[f"conv_pw_{number}_bn/batchnorm_1/sub"] = rng.normal(0, 0.3, wider)
        width = wider
    return weights


def write_package(folder, weights, *, cut=0):
    """The package as npm unpacks it: float16 weights, one in bytes with scale and minimum, and a manifest."""
    content, entries = b"", []
    for name, value in weights.items():
        quantization = {"dtype": "float16", "original_dtype": "float32"}
        stored = value.astype("<f2")
        if name == "conv1_bn/batchnorm_1/sub":
            scale, low = float(np.ptp(value)) / 255, float(value.min())
            quantization = {"dtype": "uint8", "scale": scale, "min": low}
            stored = np.round((value - low) / scale).astype(np.uint8)
        entries.append({"name": name, "shape": list(value.shape), "dtype": "float32", "quantization": quantization})
        content += stored.tobytes()
    models = folder / "package" / "models"
    models.mkdir(parents=True)
    (folder / "package" / "package.json").write_text('{"name": "@vladmandic/human", "version": "3.3.6"}')
    (models / "faceres.json").write_text(
        json.dumps({"weightsManifest": [{"paths": ["faceres.bin"], "weights": entries}]})
    )
    (models / "faceres.bin").write_bytes(content[: len(content) - cut])
    return folder


def expected_features(weights: dict[str, np.ndarray], pixels: torch.Tensor) -> torch.Tensor:
    """What TensorFlow computes of (N, 3, P, P) pixels in 0..255, written out without timm."""

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(weights[name]).double()

    def along(vector: torch.Tensor) -> torch.Tensor:
        return vector.reshape(1, -1, 1, 1)

    def pad(x: torch.Tensor, stride: int) -> torch.Tensor:
        missing = max((-(-x.shape[-1] // stride) - 1) * stride + 3 - x.shape[-1], 0)
        return F.pad(x, (missing // 2, missing - missing // 2) * 2)

    kernel = tensor("conv1/convolution/merged_input").permute(3, 2, 0, 1)
    x = F.conv2d(pad(pixels.double(), 2), kernel, stride=2) + along(tensor("conv1_bn/batchnorm_1/sub"))
    for number, stride in enumerate(STRIDES, 1):
        kernel = tensor(f"conv_dw_{number}/depthwise_kernel").permute(2, 3, 0, 1)
        x = F.conv2d(pad(x.clamp(0, 6), stride), kernel, stride=stride, groups=len(kernel))
        x = x * along(tensor(f"conv_dw_{number}_bn/batchnorm_1/mul"))
        x = (x + along(tensor(f"conv_dw_{number}_bn/batchnorm_1/sub"))).clamp(0, 6)
        x = F.conv2d(x, tensor(f"conv_pw_{number}/convolution/merged_input").permute(3, 2, 0, 1))
        x = x + along(tensor(f"conv_pw_{number}_bn/batchnorm_1/sub"))
    return x.clamp(0, 6).mean((2, 3)).float()


def rounded(weights):
    """The weights as they lie in the package."""
    kept = {name: value.astype("<f2").astype(np.float64) for name, value in weights.items()}
    shift = weights["conv1_bn/batchnorm_1/sub"]
    scale = np.ptp(shift) / 255
    kept["conv1_bn/batchnorm_1/sub"] = np.round((shift - shift.min()) / scale) * scale + shift.min()
    return kept


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return parquet(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    weights = draw_weights()
    return weights, write_package(tmp_path_factory.mktemp("npm"), weights)


@pytest.fixture(scope="module")
def converted(data, package, tmp_path_factory):
    """The drawn package as a checkpoint whose input has 64 px."""
    folder = tmp_path_factory.mktemp("converted")
    settings = json.loads((REPOSITORY / "train" / "data" / "preprocessing.json").read_text())
    settings["preprocessing"]["input"]["size_px"] = 64
    (folder / "preprocessing.json").write_text(json.dumps(settings))
    options = ["--preprocessing", folder / "preprocessing.json", "--output", folder / "checkpoint"]
    result = train("convert", package[1], "--data", data, *options)
    assert result.exit_code == 0, output_of(result)
    return folder / "checkpoint"


def test_a_package_becomes_a_checkpoint_that_computes_the_same(package, converted):
    settings = read_preprocessing(converted / "preprocessing.json").input
    grey = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (3, 1, 96, 96)).astype(np.float32))
    with torch.inference_mode():
        features = load_checkpoint(converted)((grey / 255 - settings.mean[0]) / settings.std[0])[1]
    expected = expected_features(rounded(package[0]), grey.repeat(1, 3, 1, 1))
    assert expected.std(0).max() > 0.1, "the drawn network says the same of everything"
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=1e-3)
    assert "@vladmandic/human 3.3.6" in json.loads((converted / "training.json").read_text())["converted_from"]


def test_what_npm_packed_is_read_as_what_it_unpacks(package, tmp_path):
    with tarfile.open(tmp_path / "human.tgz", "w:gz") as archive:
        archive.add(package[1] / "package", "package")
    unpacked, packed = (read_faceres(open_package(place)) for place in (package[1], tmp_path / "human.tgz"))
    assert all(np.array_equal(unpacked[name], value) for name, value in packed.items()) and len(packed) == 67


def test_training_mode_agrees_with_evaluation_mode_after_conversion(data, converted):
    settings = read_preprocessing(converted / "preprocessing.json")
    inputs = to_model_inputs(read_crops(load_split(str(data), "train"), settings), settings.input)
    network = load_checkpoint(converted)
    with torch.inference_mode():
        evaluated = network(torch.from_numpy(inputs))[1]
        trained = network.train()(torch.from_numpy(inputs))[1]
    # The 48 faces are all of the split, so the batch has the statistics that were measured.
    torch.testing.assert_close(trained, evaluated, atol=0.02, rtol=0.02)


def test_finetune_goes_on_from_a_converted_package(data, converted, tmp_path):
    options = ["--limit", "8", *SMALL, "--epochs", "1"]
    result = train("finetune", "--data", data, "--from", converted, "--output", tmp_path / "run", *options)
    assert result.exit_code == 0, output_of(result)
    training = json.loads((tmp_path / "run" / "final" / "training.json").read_text())
    assert "faceres" in training["begun_with"]["converted_from"]


# The residual blocks of dlib's network, as the package names them: channels, and whether the picture is halved.
RESIDUAL = [
    *[(f"conv32_{number}", 32, False) for number in (1, 2, 3)],
    ("conv64_down", 64, True),
    *[(f"conv64_{number}", 64, False) for number in (1, 2, 3)],
    ("conv128_down", 128, True),
    *[(f"conv128_{number}", 128, False) for number in (1, 2)],
    ("conv256_down", 256, True),
    *[(f"conv256_{number}", 256, False) for number in (1, 2)],
    ("conv256_down_out", 256, True),
]


def draw_face_recognition() -> dict[str, np.ndarray]:
    rng, weights, width = np.random.default_rng(0), {}, 32
    layers = [("conv32_down", 7, 3, 32)]
    for name, wider, _ in RESIDUAL:
        layers += [(f"{name}/conv1", 3, width, wider), (f"{name}/conv2", 3, wider, wider)]
        width = wider
    for name, side, inputs, outputs in layers:
        deviation = (1 / (side * side * inputs)) ** 0.5
        weights[f"{name}/conv/filters"] = rng.normal(0, deviation, (side, side, inputs, outputs)).astype("<f4")
        weights[f"{name}/conv/bias"] = rng.normal(0, 0.1, outputs).astype("<f4")
        weights[f"{name}/scale/weights"] = rng.uniform(0.5, 1.5, outputs).astype("<f4")
        weights[f"{name}/scale/biases"] = rng.normal(0, 0.2, outputs).astype("<f4")
    return weights


def expected_face_recognition(weights: dict[str, np.ndarray], pixels: torch.Tensor) -> torch.Tensor:
    """What face-api computes of (N, 3, P, P) pixels in 0..255 up to the average over the picture."""

    def convolve(x: torch.Tensor, name: str, stride: int, padding: int) -> torch.Tensor:
        kernel = torch.from_numpy(weights[f"{name}/conv/filters"]).permute(3, 2, 0, 1)
        bias, scale, shift = (
            torch.from_numpy(weights[f"{name}/{part}"]) for part in ("conv/bias", "scale/weights", "scale/biases")
        )
        x = F.conv2d(x, kernel, bias, stride, padding)
        return x * scale[None, :, None, None] + shift[None, :, None, None]

    x = (pixels - torch.tensor([122.782, 117.001, 104.298])[None, :, None, None]) / 255
    x = F.max_pool2d(convolve(x, "conv32_down", 2, 0).relu(), 3, 2)
    for name, width, down in RESIDUAL:
        found = convolve(x, f"{name}/conv1", 2 if down else 1, 0 if down else 1).relu()
        found = convolve(found, f"{name}/conv2", 1, 1)
        if down:
            x = F.avg_pool2d(x, 2)
            missing = x.shape[-1] - found.shape[-1]
            assert missing in (0, 1), "face-api adds one row and one column at most"
            found = F.pad(found, (0, missing, 0, missing))
            x = torch.cat([x, torch.zeros(len(x), width - x.shape[1], *x.shape[2:])], 1)
        x = (x + found).relu()
    return x.mean((2, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_dlibs_network_becomes_a_checkpoint_that_computes_the_same(data, tmp_path, channels):
    weights = draw_face_recognition()
    model = tmp_path / "package" / "model"
    model.mkdir(parents=True)
    (tmp_path / "package" / "package.json").write_text('{"name": "@vladmandic/face-api", "version": "1.7.15"}')
    entries = [{"name": name, "shape": list(value.shape), "dtype": "float32"} for name, value in weights.items()]
    manifest = [{"paths": ["face_recognition_model.bin"], "weights": entries}]
    (model / "face_recognition_model-weights_manifest.json").write_text(json.dumps(manifest))
    (model / "face_recognition_model.bin").write_bytes(b"".join(value.tobytes() for value in weights.values()))
    settings = json.loads((REPOSITORY / "train" / "data" / "preprocessing.json").read_text())
    means = {1: ([0.5], [0.25]), 3: ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])}[channels]
    settings["preprocessing"]["input"] |= {"channels": channels, "mean": means[0], "std": means[1]}
    (tmp_path / "preprocessing.json").write_text(json.dumps(settings))
    output = tmp_path / "checkpoint"
    options = ["--preprocessing", tmp_path / "preprocessing.json", "--faces", "4", "--output", output]
    result = train("convert", tmp_path / "package", "--data", data, *options)
    assert result.exit_code == 0, output_of(result)
    pixels = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (3, channels, 128, 128)).astype(np.float32))
    mean, std = (torch.tensor(values)[None, :, None, None] for values in means)
    with torch.inference_mode():
        features = load_checkpoint(output)((pixels / 255 - mean) / std)[1]
    expected = expected_face_recognition(weights, pixels.expand(-1, 3, -1, -1))
    assert expected.std(0).max() > 0.01, "the drawn network says the same of everything"
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=1e-3)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A checkpoint of ours."""
    run = tmp_path_factory.mktemp("trained") / "run"
    require_success(train("finetune", "--data", data, "--output", run, *TINY, "--epochs", "6"))
    return run / "final"


@pytest.mark.parametrize("int8", [False, True])
def test_a_bundle_becomes_a_checkpoint_again(data, trained, tmp_path, int8):
    options = ["--int8"] if int8 else []
    final, bundle, again = trained, tmp_path / "bundle", tmp_path / "again"
    require_success(train("export", final, "--data", data, "--bundle", bundle, *options))
    result = train("convert", bundle, "--data", data, "--output", again)
    assert result.exit_code == 0, output_of(result)
    inputs = torch.from_numpy(np.random.default_rng(2).normal(0, 1, (6, 1, 32, 32)).astype(np.float32))
    with torch.inference_mode():
        expected, restored = (load_checkpoint(place)(inputs) for place in (final, again))
    assert len(restored) == 3, "the second head is there too"
    for before, after in zip(expected, restored, strict=True):
        # Seven bits of each weight are kept, and all of a float one.
        torch.testing.assert_close(after, before, rtol=0, atol=0.1 * float(before.std()) if int8 else 1e-4)


def test_the_embedded_bundle_becomes_a_checkpoint_that_says_the_same(data, tmp_path):
    output = tmp_path / "checkpoint"
    result = train("convert", EMBEDDED_BUNDLE, "--data", data, "--output", output, "--faces", "16")
    assert result.exit_code == 0, output_of(result)
    opened = open_bundle(EMBEDDED_BUNDLE, "tested")
    assert opened.config.model_sha256 in json.loads((output / "training.json").read_text())["converted_from"]
    rng = np.random.default_rng(3)
    crops = [rng.integers(0, 256, (6, 6), np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(8)]
    inputs = to_model_inputs(crops, opened.config.preprocessing.input)
    before = softmax(Classifier(opened.model, opened.config).run(inputs)[0])
    with torch.inference_mode():
        after = load_checkpoint(output)(torch.from_numpy(inputs))[0].softmax(1).numpy()
    assert before.std(0).max() > 0.02
    np.testing.assert_allclose(after, before, atol=0.05)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nothing", "is no npm package"),
        ("other", "has neither models/faceres.json nor"),
        ("cut", "cut off at"),
        ("finished", "exists already"),
    ],
)
def test_what_cannot_be_converted_is_refused(data, tmp_path, source, words):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "package.json").write_text('{"name": "left-pad", "version": "1.0.0"}')
    write_package(tmp_path / "cut", draw_weights(), cut=10)
    write_package(tmp_path / "finished", draw_weights())
    output = tmp_path / "checkpoint"
    if source == "finished":
        output.mkdir()
    result = train("convert", tmp_path / source, "--data", data, "--output", output)
    assert result.exit_code != 0 and words in output_of(result), output_of(result)
    assert not output.exists() or not list(output.iterdir())
