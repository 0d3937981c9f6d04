"""How the weights of a loss share out between the classes."""

from collections.abc import Mapping

import numpy as np

from layerscope.diagnose.loss_kind import Loss, LossView
from layerscope.diagnose.weighted_loss import class_weights
from layerscope.session.input_figures import Matrix


def weight_figures(view: LossView, output: Matrix, seen: Mapping[int, int]) -> dict[str, float]:
    """Of the class that has most of the loss's weight: which share of it, and of the samples; its
    weight over that of the others; and which share of the others' samples the network calls it.
    Nothing where classes are not weighted.

    Args:
        view: of this step's loss, with targets.
        output: [samples, outputs], that it was told by.
        seen: how many targets of each class there were so far.
    """
    targets, weights = view.targets, view.weights
    if targets is None or weights is None or len(weights) != len(output):
        return {}
    labels = targets[:, 0].astype(np.int64)
    known = class_weights(labels, weights)
    if len(known) < 2:
        return {}
    counts = {label: seen[label] for label in known}
    of_all = sum(counts.values())
    shares = {label: counts[label] * known[label] for label in known}
    most = max(shares, key=lambda label: shares[label])
    others = labels != most
    binary = view.kind is not Loss.CROSS_ENTROPY
    middle = 0.5 if view.kind is Loss.BINARY else 0.0
    called = (output[:, 0] > middle).astype(np.int64) if binary else output.argmax(1)
    rest = (sum(shares.values()) - shares[most]) / (of_all - counts[most])
    return {
        "weighted_share": shares[most] / sum(shares.values()),
        "weighted_samples": counts[most] / of_all,
        "weighted_times": known[most] / rest,
        "weighted_called": float((called[others] == most).mean()),
    }
