"""Classes by number: one that is never predicted, and numbers given in each batch anew."""

import math
from collections import Counter

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_kind import OF_BITS, Loss, LossView
from layerscope.figures.inputs import Matrix
from layerscope.figures.kept_between_looks import KeptBetweenLooks

_FEW, _ENOUGH = 100, 50
"""Classes; and targets for each: words of a vocabulary may well not come."""

_PART, _EVEN = 1 / 3, 0.5
"""Of the classes, that a split may take away; and of what a class has most often, that each has."""


class Uncalled(KeptBetweenLooks):
    """Counts the targets of each class since a sample was last taken for it."""

    def __init__(self) -> None:
        self._targets: Counter[int] = Counter()
        self._bits: Counter[int] = Counter()  # of several outputs with one each

    def figures(self, view: LossView, output: Matrix, seen: Counter[int]) -> dict[str, float]:
        """Of the class that has had most targets since, if any: which, how many these are, and its
        share of all targets; of several outputs with a bit each, those of 1 in all of them
        together. Nothing where targets are no classes, or are soft.

        Args:
            output: [samples, outputs], that it was told by.
            seen: how many targets of each class there were so far, this step's included.
        """
        targets = view.targets
        is_binary = view.kind in OF_BITS
        known = targets is not None and (is_binary or view.kind is Loss.CROSS_ENTROPY)
        if targets is None or not known or not np.isin(targets, np.rint(targets)).all():
            return {}
        if is_binary:
            called = np.unique(output > (0.5 if view.kind is Loss.BINARY else 0.0))
        else:
            called = np.unique(output.argmax(1))
        labels = targets.astype(np.int64)
        if is_binary and output.shape[1] > 1:
            self._bits.update(labels.ravel().tolist())
            seen, labels = self._bits, labels[labels == 1][:, np.newaxis]
        self._targets.update(labels[:, 0].tolist())
        for label in called.astype(np.int64).tolist():
            del self._targets[label]
        without = {} if is_binary else _untargeted(seen, output.shape[1])
        if not self._targets:
            return {"uncalled_targets": 0.0} | without
        label, count = self._targets.most_common(1)[0]
        share = seen[label] / max(seen.total(), 1)
        return {
            "uncalled_class": float(label),
            "uncalled_targets": float(count),
            "uncalled_share": share,
        } | without


def _untargeted(seen: Counter[int], outputs: int) -> dict[str, float]:
    """How many of a few classes have never been a target, and the first of these, once there were
    enough for each.
    """
    if outputs > _FEW or seen.total() < _ENOUGH * outputs:
        return {}
    missing = [label for label in range(outputs) if not seen[label]]
    return {
        "untargeted_classes": float(len(missing)),
        "untargeted_class": float(missing[0]) if missing else math.nan,
        "untargeted_end": float(_are_split_off(missing, seen, outputs)),
    }


def _are_split_off(missing: list[int], seen: Counter[int], outputs: int) -> bool:
    """Whether the missing ones are a few at the end, as where data that lie class by class are cut
    off there, and the others come about equally often, but for the class that the cut goes through.
    """
    begin = outputs - len(missing)
    if not missing or missing[0] != begin or len(missing) > _PART * outputs:
        return False
    counts = [seen[label] for label in range(begin)]
    return min(counts[:-1]) >= _EVEN * float(np.median(counts))


Labels = npt.NDArray[np.int64]


class NumberedLabels(KeptBetweenLooks):
    """Follows the class numbers of batches: are they 0 to k - 1 in each, without a gap, where there
    are more classes than k?
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._chance = 0.0

    def see(self, labels: Labels) -> float:
        """Minus log10 of the chance that all batches so far are so, were their labels drawn by
        frequency; 0 once one was not.
        """
        if self._chance == -math.inf:
            return 0.0
        here = set(labels.tolist())
        self._counts.update(labels.tolist())
        known = len(self._counts)
        if here != set(range(len(here))) or set(self._counts) != set(range(known)):
            self._chance = -math.inf
            self._counts.clear()
        elif len(here) < known:
            self._chance -= math.log10(_chance_of_no_gap(self._counts, len(labels)))
        return max(self._chance, 0.0)


def _chance_of_no_gap(counts: Counter[int], size: int) -> float:
    """That a batch without all classes has those from 0 to some number.

    Args:
        counts: of classes numbered from 0 on.
        size: of the batch.
    """
    shares = np.array([counts[label] for label in range(len(counts))]) / counts.total()
    absent = (1 - shares) ** size
    first = np.cumprod(1 - absent)  # the classes from 0 to each are there
    others = np.append(np.cumprod(absent[::-1])[::-1][1:], 1.0)  # those after it are not
    of_some = 1 - first[-1]
    chance = float((first * others)[:-1].sum() / of_some) if of_some > 0 else 1.0
    return min(max(chance, 1e-12), 1.0)
