"""Calibration class by class: a bias for each class, worked into the network's last layer.

A training that draws rare classes more often makes them likelier than annotators do. A bias for each class and the
temperature, fitted together on the validation votes, take that back: at the optimum the mean of each bar over the faces
is the class's share of their votes. (Alexandari, Kundaje and Shrikumar, "Maximum Likelihood with Bias-Corrected
Calibration is Hard-To-Beat at Label Shift Adaptation", ICML 2020.)

The other way round, a prior shift takes tau times the logarithm of each class's share from its logit, so that rare
classes are named more often than the votes alone would have it (Menon et al., "Long-Tail Learning via Logit
Adjustment", ICLR 2021).
"""

import datasets
import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn

from train.data.dataset import read_targets

_BATCH = 256
_LEAST_SHARE = 1e-3


def fit_class_bias(logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The biases that minimise cross-entropy to the votes together with a temperature.

    Args:
        logits: (N, C).
        shares: (N, C) shares of the votes; each row sums to 1.

    Returns:
        (C,) float64 in units of the logits, with mean 0.
    """
    logits = logits.astype(np.float64)

    def cross_entropy(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        inverse = np.exp(-parameters[0])
        scaled = inverse * logits + parameters[1:]
        scaled -= scaled.max(1, keepdims=True)
        log_probabilities = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
        excess = np.exp(log_probabilities) - shares
        slope = np.concatenate([[-(excess * inverse * logits).sum()], excess.sum(0)]) / len(logits)
        return -(shares * log_probabilities).sum(1).mean(), slope

    found = minimize(
        cross_entropy, np.zeros(logits.shape[1] + 1), jac=True, bounds=[(-2, 2)] + [(-5, 5)] * logits.shape[1]
    )
    bias = found.x[1:] * np.exp(found.x[0])
    return bias - bias.mean()


def adjust_last_layer(
    network: nn.Module,
    layer: nn.Linear,
    inputs: np.ndarray,
    rows: datasets.Dataset,
    *,
    class_bias: bool,
    prior_shift: float,
) -> dict:
    """Add the biases and the shift to the bias of the network's last layer.

    Args:
        network: gives the logits first, as `train.export.step.load_checkpoint` makes it.
        layer: its last one.
        inputs: (N, channels, P, P) float32 model inputs of the validation split.
        rows: the N rows.
        class_bias: whether biases are fitted to the rows' votes (or labels).
        prior_shift: tau; 0 shifts nothing.

    Returns:
        A record of what was added; empty if nothing was.
    """
    if not class_bias and prior_shift == 0:
        return {}
    shares, voted = read_targets(rows).shares()
    record = {}
    if class_bias:
        with torch.inference_mode():
            chosen = torch.from_numpy(inputs[voted])
            batches = [network(chosen[start : start + _BATCH])[0] for start in range(0, len(chosen), _BATCH)]
        bias = fit_class_bias(torch.cat(batches).numpy(), shares[voted])
        record["class_bias"] = [round(float(value), 4) for value in bias]
        _add(layer, record["class_bias"])
    if prior_shift != 0:
        share = np.maximum(shares[voted].mean(0), _LEAST_SHARE)
        record |= {"prior_shift": prior_shift, "shares": [round(float(value), 5) for value in share]}
        _add(layer, -prior_shift * np.log(record["shares"]))
    return record


@torch.no_grad()
def _add(layer: nn.Linear, values) -> None:
    layer.bias.add_(torch.as_tensor(np.asarray(values), dtype=layer.bias.dtype))
