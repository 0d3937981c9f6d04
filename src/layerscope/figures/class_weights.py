"""How the weights of a loss share out between the classes."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.diagnose.losses.weighted_loss import class_weights
from layerscope.figures.inputs import Matrix

ENOUGH_LABELS = 300
"""A class that is none of theirs has less than 1 % of all, with 95 % certainty (rule of three)."""

Labels = npt.NDArray[np.int64]


def weight_figures(view: LossView, output: Matrix, seen: Mapping[int, int]) -> dict[str, float]:
    """Of the class that has most of the loss's weight: which share of it, and of the samples; its
    weight over that of the others; and which share of the others' samples the network calls it.
    Nothing where classes are not weighted. Of several binary outputs those of the one that leaves
    its other class least.

    Args:
        view: of this step's loss, with targets.
        output: [samples, outputs], that it was told by.
        seen: how many targets of each class there were so far; {} of several binary outputs.
    """
    targets, weights = view.targets, view.weights
    if targets is None or weights is None or len(weights) != len(output):
        return {}
    labels = targets.astype(np.int64)
    if view.kind is Loss.CROSS_ENTROPY:
        return _of_one(labels[:, 0], weights, output.argmax(1), seen)
    called = (output > (0.5 if view.kind is Loss.BINARY else 0.0)).astype(np.int64)
    each = [
        _of_one(labels[:, column], weights[:, column], called[:, column], seen)
        for column in range(output.shape[1])
    ]
    return max(each, key=lambda of: of.get("weighted_share", 0.0) * of.get("weighted_called", 0.0))


def ignored_figures(view: LossView, output: Matrix, seen: Mapping[int, int]) -> dict[str, float]:
    """Which share of the samples gets no gradient from a cross-entropy, and the class that no other
    sample is of, if it is one class and labels enough were seen to know.

    Args:
        view: of this step's loss, with targets.
        output: [samples, outputs], each row a sample of its own.
        seen: how many targets of each class there were so far.
    """
    if view.kind is not Loss.CROSS_ENTROPY or view.targets is None:
        return {}
    figures = {"ignored_share": 1 - len(view.targets) / len(output)}
    never = set(range(output.shape[1])) - set(seen)
    if len(never) == 1 and sum(seen.values()) >= ENOUGH_LABELS:
        figures["ignored_class"] = float(never.pop())
    return figures


def _of_one(
    labels: Labels, weights: npt.NDArray[np.float64], called: Labels, seen: Mapping[int, int]
) -> dict[str, float]:
    known = class_weights(labels, weights)
    if len(known) < 2:
        return {}
    here = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    counts = {label: seen.get(label, 0) or int(here[label]) for label in known}
    of_all = sum(counts.values())
    shares = {label: counts[label] * known[label] for label in known}
    most = max(shares, key=lambda label: shares[label])
    others = labels != most
    rest = (sum(shares.values()) - shares[most]) / (of_all - counts[most])
    return {
        "weighted_share": shares[most] / sum(shares.values()),
        "weighted_samples": counts[most] / of_all,
        "weighted_times": known[most] / rest,
        "weighted_called": float((called[others] == most).mean()),
    }
