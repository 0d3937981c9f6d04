"""What the targets of a loss are, as far as its gradient on the output tells."""

import math
from collections import Counter

import numpy as np

from layerscope.diagnose.losses.loss_kind import OF_BITS, OF_CLASSES, Loss, LossView
from layerscope.diagnose.losses.percentage_error import share_of_zeros
from layerscope.figures.class_weights import weight_figures
from layerscope.figures.inputs import Matrix, rms
from layerscope.record.ends.ends import Output

_ALIKE = 1e-6
"""Relative: rounding."""


def target_figures(
    view: LossView, output: Output, values: Matrix, seen: Counter[int]
) -> dict[str, float]:
    """Figures of the targets of one step: of classes or of numbers.

    Args:
        values: of the output, float64 [samples, outputs].
        seen: how many targets of each class came so far; those of this step are added.
    """
    targets, outputs = view.targets, values.shape[1]
    if targets is None or not targets.size:
        return {}
    figures: dict[str, float] = {}
    is_binary = view.kind in OF_BITS
    single = is_binary and targets.shape[1] == 1
    if output.alone and (view.kind in OF_CLASSES or single):
        labels = Counter(targets[:, 0].astype(np.int64).tolist())
        figures["labels_new"] = new_labels(labels, seen)
        seen.update(labels)
        label, most = labels.most_common(1)[0]
        figures |= {
            "labels_seen": float(len(labels)),
            "label": float(label),
            "label_share": most / len(targets),
            "label_entropy": label_entropy(seen, view.smoothing, outputs),
            "batch_entropy": label_entropy(labels, view.smoothing, outputs)
            if output.by_sample and 2 * len(targets) >= len(values)  # the loss has most samples
            else math.nan,
            "loss_floor": label_entropy(Counter([0]), view.smoothing, outputs),
        }
    if output.alone:
        figures |= weight_figures(view, values, seen if not is_binary or single else {})
    if is_binary and view.weights is not None:  # it is at no entropy's level, nor at a variance
        figures["label_entropy"] = math.nan
        return figures | {"target_min": 0.0, "target_max": 1.0}
    if view.kind is Loss.PERCENTAGE_ERROR:
        return figures | {"target_zeros": share_of_zeros(targets)}
    if view.kind not in OF_CLASSES and not _are_made_up(view, output, values):
        figures |= {
            "target_min": float(targets.min()),
            "target_max": float(targets.max()),
            "target_rms": _size(view, targets, values),
            "target_std": float(targets.std()),
            "target_fraction": _fraction(view, output, targets),
            "target_sum": float(np.abs(targets.sum(1) - 1).mean()),
        }
    return figures


def _are_made_up(view: LossView, output: Output, values: Matrix) -> bool:
    """Whether the targets of an absolute error are none: where the network's outputs of several
    calls make up a loss and all slopes of this one are the same, it is a mean of outputs, as a
    critic's, as likely as an error.
    """
    targets = view.targets
    if view.kind is not Loss.ABSOLUTE_ERROR or output.alone or targets is None:
        return False
    if targets.shape != values.shape:  # of some samples: the loss leaves others out
        return False
    return bool((targets > values).all() or (targets < values).all())


def _fraction(view: LossView, output: Output, targets: Matrix) -> float:
    """How far targets of one output are from whole numbers; NaN where that is not known, as of a
    binary cross-entropy some of whose slopes are rounded to 0.
    """
    known = view.kind is Loss.SQUARED_ERROR
    known |= view.kind in OF_BITS and len(targets) == output.samples
    if not known or targets.shape[1] != 1:
        return math.nan
    return float(np.abs(targets - targets.round()).max())


def _size(view: LossView, targets: Matrix, values: Matrix) -> float:
    """Root mean square of the targets. Those of an absolute error lie one mean error away from the
    output on average, and that may be the output's own: NaN unless they are large for certain, as
    where the two differ by half of that.
    """
    size = rms(targets)
    if view.kind is not Loss.ABSOLUTE_ERROR or targets.shape != values.shape:
        return size
    off = np.abs(targets - values)
    on_average = float(np.ptp(off)) <= _ALIKE * float(off.mean())  # not labels of 0 and 1
    at_least = abs(float(np.abs(values).mean() - off.mean()))
    return math.nan if on_average and at_least < size / 2 else size


_FEWEST, _TIMES = 0.1, 3.0
"""Share of the targets, and how many times what may be new by chance."""


def new_labels(labels: Counter[int], seen: Counter[int]) -> float:
    """Share of the targets whose class never came before; 0 if so many may be new by chance, and
    NaN if nothing came before.

    By the share of those that came once, a further target's class is a new one (Good 1953, The
    Population Frequencies of Species, equation 9); three are added, as the rule of three has it.

    >>> new_labels(Counter({7: 8, 1: 8}), Counter({1: 30, 2: 30}))
    0.5
    >>> new_labels(Counter({7: 8, 1: 8}), Counter(range(60)))
    0.0
    """
    if not (total := seen.total()):
        return math.nan
    share = sum(count for label, count in labels.items() if label not in seen) / labels.total()
    once = sum(count == 1 for count in seen.values())
    return share if share > max(_FEWEST, _TIMES * (once + 3) / total) else 0.0


def label_entropy(labels: Counter[int], smoothing: float, classes: int) -> float:
    """Of the mean target: the least loss without a look at the inputs."""
    counts = np.zeros(max(classes, len(labels)))
    counts[: len(labels)] = list(labels.values())
    shares = (1 - smoothing) * counts / counts.sum() + smoothing / classes
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
