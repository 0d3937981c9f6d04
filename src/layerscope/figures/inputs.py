"""What the data looked like that a network was given, as figures."""

import math
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from layerscope.record.ends.ends import Data

_NORMAL = 1e-30
"""Smaller values are rounding, and their squares are 0."""

_ABOUT_ONE = 3.0
"""Times 1 or a part of it: a normalisation gives 1 times its weights, which change."""

_LEAST, _LESS = 0.05, 10.0
"""Rows of length 1 are smaller, and far smaller than what they were made of."""

_SAMPLES = 8
"""Of fewer a feature may be the same by chance."""

_TENTH, _EXACT = 0.1, 1e-4

Matrix = npt.NDArray[np.float64]


def input_figures(data: tuple[Data, ...]) -> dict[str, float]:
    """Of all first layers together; the largest scale, where there are several. A branch whose
    input is the same for all samples says nothing of the data, beside one whose input is not.
    """
    if not data:
        return {}
    given = [each.values.numpy() for each in data]
    lost = sum(int((~np.isfinite(values)).sum()) for values in given)
    normalized = list(map(_is_normalized, data))
    figures = {"input_nonfinite": float(lost), "inputs_normalized": float(all(normalized))}
    are_whole = not any(each.is_part for each in data)
    blank = [float(each.blank.get()) for each in data if each.blank is not None]
    if are_whole and len(blank) == len(data):
        figures["input_blank"] = min(blank)
    if len(given) > 1:
        pairs = list(zip(given, normalized, strict=True))
        pairs = [pair for pair in pairs if (pair[0] != pair[0][:1]).any()] or pairs
        pairs = [pair for pair in pairs if not pair[1]] or pairs
        given = [values for values, _ in pairs]
    finite = [values[np.isfinite(values)] for values in given]
    scales = [rms(values[values != 0]) for values in finite]
    if not any(scale >= 0 for scale in scales):
        if lost or not (are_whole and any(values.size for values in finite)):
            return figures
        return figures | {"input_rms": 0.0, "input_largest": 0.0}  # all of them are exactly 0
    place = int(np.nanargmax(scales))
    values = finite[place]
    return figures | {
        "input_rms": scales[place],
        "input_zeros": float((values == 0).mean()),
        "input_largest": float(np.abs(values).max()),
        **dict(zip(_FEATURE, _largest_feature(given[place]), strict=True)),
        "input_feature_spread": _feature_spread(given[place]),
        "input_sizes": _sizes_differ(given[place]),
        "input_rows_one": float(_rows_alike(given[place])),
    }


def _is_normalized(data: Data) -> bool:
    """Also by a layer that somebody has written: the first matrix gets what it gives."""
    if data.given is None:
        return data.normalized
    given = data.given.get().numpy()
    size, before = rms(given), rms(data.values.numpy())
    if size == 0:
        return before > 0  # of zeros `collapsed` tells
    least = _LEAST if before > _LESS * size else 1 / _ABOUT_ONE
    return least < size < _ABOUT_ONE


_FEATURE = ("input_feature_ratio", "input_feature_at")


def _largest_feature(values: Matrix) -> tuple[float, float]:
    """RMS of the largest feature / that of the median one that is not all zero; and which it is."""
    if values.shape[1] < 2 or not np.isfinite(values).all():
        return math.nan, math.nan
    sizes = np.sqrt(np.square(values).mean(0))
    usual = sizes[sizes > _NORMAL]
    if len(usual) < 2:
        return math.nan, math.nan
    return float(usual.max() / np.median(usual)), float(sizes.argmax())


def _feature_spread(values: Matrix) -> float:
    """Standard deviation / RMS of the median feature that is not all zero, of enough samples."""
    if len(values) < _SAMPLES or not np.isfinite(values).all():
        return math.nan
    sizes = np.sqrt(np.square(values).mean(0))
    spreads = values.std(0)[sizes > _NORMAL] / sizes[sizes > _NORMAL]
    return float(np.median(spreads)) if spreads.size else math.nan


def _sizes_differ(values: Matrix) -> float:
    """Standard deviation of the samples' RMS / the mean of it; 0 where a feature, or the sum of
    all, is the same number in all samples: weights of that do what a bias does.
    """
    if len(values) < _SAMPLES or not np.isfinite(values).all():
        return math.nan
    sizes = np.sqrt(np.square(values).mean(1))
    columns = np.column_stack([values, values.sum(1)])
    same = (np.ptp(columns, axis=0) <= _EXACT * np.abs(columns).max(0)) & (columns[0] != 0)
    return 0.0 if same.any() or not sizes.mean() else float(sizes.std() / sizes.mean())


class RowsAlike(IntEnum):
    """By what all samples have been scaled, each by itself."""

    NOTHING = 0
    LENGTH = 1
    """Or sum: it is 1."""
    DEVIATION = 2
    """And the mean is 0."""
    ENDS = 3
    """The least and the largest value are the same in all."""


def _rows_alike(values: Matrix) -> RowsAlike:
    """By what each row has been scaled, if few elements are 0, as those of counted words are."""
    if len(values) < _SAMPLES or values.shape[1] < 3 or not np.isfinite(values).all():
        return RowsAlike.NOTHING
    ends = values.min(1), values.max(1)
    if all(np.ptp(end) <= _EXACT * np.ptp(values) for end in ends):
        at_ends = [(np.abs(values - end[:, None]) <= _EXACT).sum(1).max() for end in ends]
        return RowsAlike.ENDS if max(at_ends) == 1 else RowsAlike.NOTHING
    if (values == 0).mean() > _TENTH:
        return RowsAlike.NOTHING
    sizes = np.sqrt(np.square(values).sum(1)), np.abs(values).sum(1)
    if any(np.abs(each - 1).max() <= _EXACT for each in sizes):
        return RowsAlike.LENGTH
    deviations = values.std(1)
    centred = np.abs(values.mean(1)).max() <= _EXACT and np.ptp(deviations) <= _EXACT
    is_one = centred and abs(deviations[0] - 1) < 0.5  # of n, or of n - 1
    return RowsAlike.DEVIATION if is_one else RowsAlike.NOTHING


def rms(values: Matrix) -> float:
    """Root mean square; NaN of no values."""
    return float(np.sqrt(np.square(values).mean())) if values.size else math.nan
