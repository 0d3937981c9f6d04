"""A patient's charts as text: a character for each step, a row for each layer."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from layerscope.ward.patients import CHARTS, Patient, chart_of

BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#%@"
"""From nothing to all; the second where the console cannot show the first."""

_LOST = "!"
_BARS = 15
_SHOWN = 4


def levels_for(encoding: str | None) -> str:
    """The characters that an encoding can show."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def text_charts(patient: Patient, levels: str = BLOCKS) -> Iterator[str]:
    """Lines of at most 80 characters.

    Args:
        levels: of a bar, from nothing to all.
    """
    name = max(len(layer) for layer in patient.layers)
    steps = len(patient.loss)
    ruler = "".join(f"{step:<8}" for step in range(0, steps, 8))
    yield from _histograms(patient, levels, name)
    for key in CHARTS:
        chart = chart_of(patient, key)
        rows = np.array(patient.charts[key], dtype=float).T
        low, high = _range(rows, chart.log)
        yield ""
        axis = f"{_short(10**low)} to {_short(10**high)}, logarithmic" if chart.log else "0 to 1"
        yield f"{chart.title}: {axis}"
        for layer, row in zip(patient.layers, rows, strict=True):
            known = row[np.isfinite(row)]
            if not len(known):  # as the logits have no ends
                yield f"{layer:{name}} -"
                continue
            bars = _bars(row, low, high, levels, chart.log)
            yield f"{layer:{name}} {bars} {_short(known[-1])}".rstrip()
        yield f"{'step':{name}} {ruler}".rstrip()
    loss = np.array([patient.loss], dtype=float)
    low, high = _range(loss, log=True)
    yield ""
    yield f"Loss in nats: {_short(10**low)} to {_short(10**high)}, logarithmic; a guess is 3.3"
    yield f"{'loss':{name}} {_bars(loss[0], low, high, levels, log=True)}"
    yield f"{'step':{name}} {ruler}".rstrip()


def _histograms(patient: Patient, levels: str, name: int) -> Iterator[str]:
    shares, steps = patient.shares, patient.kept_steps
    shown = np.linspace(0, len(steps) - 1, _SHOWN).round().astype(int)
    yield "Outputs, from the smallest to the largest (tanh: from -1 to 1)"
    heads = (f"{f'step {steps[at]}':{_BARS}}" for at in shown)
    yield f"{'':{name}} {' | '.join(heads)}".rstrip()
    for place, layer in enumerate(patient.layers):
        parts = []
        for at in shown:
            bars = shares[at, place].reshape(_BARS, -1).sum(1)
            most = bars.max()
            parts.append(
                "".join(levels[math.ceil(bar / most * (len(levels) - 1))] for bar in bars)
                if most > 0
                else f"{_LOST * 3:{_BARS}}"
            )
        yield f"{layer:{name}} {' | '.join(parts)}".rstrip()


def _bars(row: Sequence[float], low: float, high: float, levels: str, log: bool) -> str:
    """A character for each value: `!` for what is not finite, a space for what is 0."""
    made = []
    for value in row:
        if not math.isfinite(value):
            made.append(_LOST)
        elif value <= 0:
            made.append(levels[0])
        else:
            at = ((math.log10(value) if log else value) - low) / (high - low)
            made.append(levels[1 + min(int(at * (len(levels) - 1)), len(levels) - 2)])
    return "".join(made)


def _range(rows: npt.NDArray[np.float64], log: bool) -> tuple[float, float]:
    """Of an axis: of a logarithmic one the powers of ten, at least one apart."""
    if not log:
        return 0.0, 1.0
    known = rows[np.isfinite(rows) & (rows > 0)]
    if not known.size:
        return -1.0, 0.0
    low, high = math.log10(known.min()), math.log10(known.max())
    return (low, high) if high - low >= 1 else (low - 0.5, low + 1)


def _short(value: float) -> str:
    return f"{value:.2g}"
