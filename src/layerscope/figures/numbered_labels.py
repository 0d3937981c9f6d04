"""Were the classes of each batch numbered by themselves?"""

import math
from collections import Counter

import numpy as np
import numpy.typing as npt

from layerscope.figures.kept_between_looks import KeptBetweenLooks

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
