"""The small ONNX graphs of a bundle: everything between pixels and networks that Python and the browser must do alike.

Both runtimes run these files, so a crop is the same to the last bit in training, in the app and in a browser. Numbers
are inputs, not constants: they come from the bundle's `config.json`. Pictures are uint8 (height, width, channels) with
1, 3 or 4 channels; a fourth one (alpha) is ignored.
"""

from pathlib import Path

import onnx
from onnxscript import BOOL, FLOAT, INT64, UINT8, OnnxFunction, script
from onnxscript import opset20 as op

from face_expression.model.graphs import graph_file

_IR_VERSION = 10


@script(default_opset=op)
def detector_input(pixels: UINT8["h", "w", "c"], min_side: INT64[1], multiple: INT64[1]):
    """A picture as YuNet takes it: blue, green and red planes, black to the right and below up to full cells."""
    bgr = op.Gather(op.Transpose(pixels, perm=[2, 0, 1]), op.Constant(value_ints=[2, 1, 0]), axis=0)
    planes = op.Unsqueeze(op.Cast(bgr, to=1), op.Constant(value_ints=[0]))
    sides = op.Shape(planes, start=2)
    cells = op.Div(op.Sub(op.Add(op.Max(sides, min_side), multiple), op.Constant(value_ints=[1])), multiple)
    missing = op.Sub(op.Mul(cells, multiple), sides)
    return op.Pad(planes, op.Concat(op.Constant(value_ints=[0, 0, 0, 0, 0, 0]), missing, axis=0))


@script(default_opset=op)
def detector_output(
    cls_8: FLOAT[1, "n8", 1],
    cls_16: FLOAT[1, "n16", 1],
    cls_32: FLOAT[1, "n32", 1],
    obj_8: FLOAT[1, "n8", 1],
    obj_16: FLOAT[1, "n16", 1],
    obj_32: FLOAT[1, "n32", 1],
    bbox_8: FLOAT[1, "n8", 4],
    bbox_16: FLOAT[1, "n16", 4],
    bbox_32: FLOAT[1, "n32", 4],
    kps_8: FLOAT[1, "n8", 10],
    kps_16: FLOAT[1, "n16", 10],
    kps_32: FLOAT[1, "n32", 10],
    width: INT64[1],
    min_score: FLOAT[1],
    max_overlap: FLOAT[1],
    max_faces: INT64[1],
):
    """YuNet's raw maps -> (N, 4) boxes xyxy, (N, 10) landmarks, (N,) scores, best first, overlapping ones suppressed.

    All in pixels of the network's input, which is `width` pixels wide.
    """
    zero = op.Constant(value_ints=[0])
    stride = op.Concat(
        op.Expand(op.Constant(value_ints=[8]), op.Shape(cls_8, start=1, end=2)),
        op.Expand(op.Constant(value_ints=[16]), op.Shape(cls_16, start=1, end=2)),
        op.Expand(op.Constant(value_ints=[32]), op.Shape(cls_32, start=1, end=2)),
        axis=0,
    )
    cell = op.Concat(
        op.Range(op.Constant(value_int=0), op.Squeeze(op.Shape(cls_8, start=1, end=2)), op.Constant(value_int=1)),
        op.Range(op.Constant(value_int=0), op.Squeeze(op.Shape(cls_16, start=1, end=2)), op.Constant(value_int=1)),
        op.Range(op.Constant(value_int=0), op.Squeeze(op.Shape(cls_32, start=1, end=2)), op.Constant(value_int=1)),
        axis=0,
    )
    face = op.Clip(op.Squeeze(op.Concat(cls_8, cls_16, cls_32, axis=1), op.Constant(value_ints=[0, 2])), 0.0, 1.0)
    thing = op.Clip(op.Squeeze(op.Concat(obj_8, obj_16, obj_32, axis=1), op.Constant(value_ints=[0, 2])), 0.0, 1.0)
    score = op.Sqrt(op.Mul(face, thing))
    likely = op.Squeeze(op.NonZero(op.GreaterOrEqual(score, min_score)), zero)
    likely_scores = op.Gather(score, likely, axis=0)
    strides = op.Gather(stride, likely, axis=0)
    cells = op.Gather(cell, likely, axis=0)
    columns = op.Div(width, strides)
    row = op.Div(cells, columns)
    column = op.Sub(cells, op.Mul(row, columns))
    corner = op.Cast(
        op.Concat(
            op.Unsqueeze(column, op.Constant(value_ints=[1])), op.Unsqueeze(row, op.Constant(value_ints=[1])), axis=1
        ),
        to=1,
    )
    unit = op.Cast(op.Unsqueeze(strides, op.Constant(value_ints=[1])), to=1)
    box = op.Gather(op.Squeeze(op.Concat(bbox_8, bbox_16, bbox_32, axis=1), zero), likely, axis=0)
    shift, log_size = op.Split(box, axis=1, num_outputs=2)
    center = op.Mul(op.Add(corner, shift), unit)
    half = op.Mul(op.Exp(log_size), op.Mul(unit, 0.5))
    likely_boxes = op.Concat(op.Sub(center, half), op.Add(center, half), axis=1)
    point = op.Gather(op.Squeeze(op.Concat(kps_8, kps_16, kps_32, axis=1), zero), likely, axis=0)
    points = op.Mul(op.Add(point, op.Concat(corner, corner, corner, corner, corner, axis=1)), unit)
    kept = op.NonMaxSuppression(
        op.Unsqueeze(likely_boxes, zero),
        op.Unsqueeze(op.Unsqueeze(likely_scores, zero), zero),
        max_faces,
        max_overlap,
    )
    chosen = op.Gather(kept, op.Constant(value_int=2), axis=1)
    return (
        op.Gather(likely_boxes, chosen, axis=0),
        op.Gather(points, chosen, axis=0),
        op.Gather(likely_scores, chosen, axis=0),
    )


@script(default_opset=op)
def crop(
    pixels: UINT8["h", "w", "c"],
    pads: INT64[4],
    halvings: INT64,
    to_picture: FLOAT[2, 3],
    size: INT64[1],
    oversampling: INT64[1],
):
    """A turned square of a picture, `size` pixels wide.

    The picture grows by `pads` (top, left, bottom, right) copies of its edge pixels and is halved `halvings` times,
    each pixel the mean of four; its sides must be multiples of 2^halvings by then. It is sampled bilinearly on a grid
    that is `oversampling` (1 or 2) times finer than the crop, and averaged. `to_picture` leads from the grid to the
    grown picture, both from -1 to 1 between their edges (`affine_grid` of PyTorch).
    """
    one = op.Constant(value_ints=[1])
    zero = op.Constant(value_ints=[0])
    colors = op.Slice(op.Transpose(pixels, perm=[2, 0, 1]), zero, op.Constant(value_ints=[3]))
    planes = op.Unsqueeze(colors, zero)
    none = op.Constant(value_ints=[0, 0])
    top_left = op.Slice(pads, zero, op.Constant(value_ints=[2]))
    bottom_right = op.Slice(pads, op.Constant(value_ints=[2]), op.Constant(value_ints=[4]))
    small = op.Cast(op.Pad(planes, op.Concat(none, top_left, none, bottom_right, axis=0), mode="edge"), to=1)
    for _ in range(halvings):
        small = op.Resize(small, None, op.Constant(value_floats=[1.0, 1.0, 0.5, 0.5]), mode="linear")
    side = op.Mul(size, oversampling)
    grid_shape = op.Concat(one, op.Shape(small, start=1, end=2), side, side, axis=0)
    grid = op.AffineGrid(op.Unsqueeze(to_picture, zero), grid_shape)
    # With "zeros" ONNX Runtime is four times as fast as with "border"; the edge pixels are there already.
    samples = op.GridSample(small, grid, mode="linear", padding_mode="zeros")
    share = op.Div(1.0, op.Cast(oversampling, to=1))
    mean = op.Resize(
        samples, None, op.Concat(op.Constant(value_floats=[1.0, 1.0]), share, share, axis=0), mode="linear"
    )
    return op.Cast(op.Clip(op.Round(op.Transpose(op.Squeeze(mean, zero), perm=[1, 2, 0])), 0.0, 255.0), to=2)


@script(default_opset=op)
def model_input(
    crops: UINT8["n", "s", "s", "c"],
    mix: FLOAT["c", "channels"],
    normalize_contrast: BOOL[1],
    contrast_mean: FLOAT[1],
    contrast_std: FLOAT[1],
    min_std: FLOAT[1],
    mean: FLOAT["channels", 1],
    std: FLOAT["channels", 1],
    size: INT64[1],
):
    """Crops -> the network's input: colors mixed to channels, contrast, mean and deviation, bilinear to `size`."""
    # Sixteenths of a grey level: their sums and those of their squares are exact in 64 bits, in whichever order a
    # processor adds them up. A network of 8 bits turns a difference in the last bit into hundredths of a probability.
    sixteenths = op.Round(op.Mul(op.MatMul(op.Cast(crops, to=1), mix), 16.0))
    mixed = op.Transpose(op.Cast(sixteenths, to=11), perm=[0, 3, 1, 2])
    planes = op.Reshape(mixed, op.Constant(value_ints=[0, 0, -1]))
    axes = op.Constant(value_ints=[1, 2])
    count = op.Cast(op.ReduceProd(op.Shape(planes, start=1), keepdims=1), to=11)
    average = op.Div(op.ReduceSum(planes, axes), count)
    variance = op.Sub(op.Div(op.ReduceSum(op.Mul(planes, planes), axes), count), op.Mul(average, average))
    unit = op.Cast(16.0, to=11)
    deviation = op.Div(op.Sqrt(op.Max(variance, op.Cast(0.0, to=11))), unit)
    gain = op.Div(op.Cast(contrast_std, to=11), op.Max(deviation, op.Cast(min_std, to=11)))
    stretched = op.Mul(op.Div(op.Sub(planes, average), unit), gain)
    contrasted = op.Clip(op.Cast(op.Add(stretched, op.Cast(contrast_mean, to=11)), to=1), 0.0, 255.0)
    even = op.Where(normalize_contrast, contrasted, op.Cast(op.Div(planes, unit), to=1))
    scaled = op.Reshape(op.Div(op.Sub(op.Div(even, 255.0), mean), std), op.Shape(mixed))
    sides = op.Concat(op.Shape(scaled, start=0, end=2), size, size, axis=0)
    return op.Resize(scaled, None, None, sides, mode="linear")


@script(default_opset=op)
def quality(crops: UINT8["n", "s", "s", "c"], grey_weights: FLOAT["c", 1], percent: FLOAT[1]):
    """Crops -> (N,) shadow, highlight and sharpness.

    Shadow and highlight are the percentiles `percent` and 100 - `percent` of the brightness, in 0..255. Sharpness is
    the standard deviation of the Laplacian over that of the brightness, which is taken as 1 at least.
    """
    one = op.Constant(value_ints=[1])
    grey = op.Transpose(op.MatMul(op.Cast(crops, to=1), grey_weights), perm=[0, 3, 1, 2])
    axes = op.Constant(value_ints=[1, 2, 3])
    kernel = op.Reshape(
        op.Constant(value_floats=[0.0, 1.0, 0.0, 1.0, -4.0, 1.0, 0.0, 1.0, 0.0]), op.Constant(value_ints=[1, 1, 3, 3])
    )
    edges = op.Conv(op.Pad(grey, op.Constant(value_ints=[0, 0, 1, 1, 0, 0, 1, 1]), mode="reflect"), kernel)
    centered_edges = op.Sub(edges, op.ReduceMean(edges, axes))
    edge_std = op.Sqrt(op.ReduceMean(op.Mul(centered_edges, centered_edges), axes, keepdims=0))
    centered = op.Sub(grey, op.ReduceMean(grey, axes))
    std = op.Sqrt(op.ReduceMean(op.Mul(centered, centered), axes, keepdims=0))
    edges_to_contrast = op.Div(edge_std, op.Max(std, 1.0))
    flat = op.Flatten(grey, axis=1)
    last = op.Sub(op.Shape(flat, start=1, end=2), one)
    place = op.Mul(op.Div(percent, 100.0), op.Cast(last, to=1))
    before = op.Cast(op.Floor(place), to=7)
    after = op.Min(op.Add(before, one), last)
    fraction = op.Sub(place, op.Floor(place))
    darkest, _darkest_places = op.TopK(flat, op.Add(after, one), largest=0)
    brightest, _brightest_places = op.TopK(flat, op.Add(after, one), largest=1)
    dark = op.Gather(darkest, before, axis=1)
    bright = op.Gather(brightest, before, axis=1)
    low = op.Add(dark, op.Mul(fraction, op.Sub(op.Gather(darkest, after, axis=1), dark)))
    high = op.Add(bright, op.Mul(fraction, op.Sub(op.Gather(brightest, after, axis=1), bright)))
    return op.Squeeze(low, one), op.Squeeze(high, one), edges_to_contrast


_OUTPUTS = {
    detector_input: {"network_input": FLOAT[1, 3, "H", "W"]},
    detector_output: {"boxes": FLOAT["n", 4], "landmarks": FLOAT["n", 10], "scores": FLOAT["n"]},
    crop: {"crop": UINT8["size", "size", "channels"]},
    model_input: {"pixels": FLOAT["n", "channels", "size", "size"]},
    quality: {"shadow": FLOAT["n"], "highlight": FLOAT["n"], "sharpness": FLOAT["n"]},
}


def write_graphs(folder: Path) -> None:
    """Write all graphs of a bundle into a folder; the same files every time."""
    for function, outputs in _OUTPUTS.items():
        onnx.save(_build(function, outputs), folder / graph_file(function.name))


def _build(function: OnnxFunction, outputs: dict[str, object]) -> onnx.ModelProto:
    model = function.to_model_proto(output_types=list(outputs.values()), ir_version=_IR_VERSION)
    names = dict(zip((output.name for output in model.graph.output), outputs, strict=True))
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in model.graph.output:
        output.name = names[output.name]
    onnx.checker.check_model(model, full_check=True)
    return model
