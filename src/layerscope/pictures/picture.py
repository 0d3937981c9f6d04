"""How every figure of a run looks, and how it becomes a PNG.

Matplotlib without pyplot: a figure is an object that nobody else knows of, drawn in memory by Agg,
so that a training in a thread, without a screen or inside a notebook draws the same. Its import
takes a second, and happens when the first figure is drawn.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, NOTHING = "#222222", "#767676", "#c8c8c8"
"""Text and axes; what stands back; cells of a map without a number."""

BLUE, ORANGE, VERMILION = "#0072B2", "#E69F00", "#D55E00"
"""Okabe and Ito (2008), "Color universal design": told apart by colour-blind readers."""

DPI = 100

_LARGEST = 100_000  # bytes of a PNG; a run's event file holds several


def new_figure(title: str, width: int = 1000, height: int = 600) -> Figure:
    """Return an empty white figure of width x height pixels, with a title that wraps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    figure.suptitle(title, fontsize=12, color=INK, x=0.01, ha="left", wrap=True)
    return figure


def dress(axes: Axes, title: str, x: str, y: str) -> None:
    """Title, labels with their units, and no more ink than that."""
    axes.set_title(title, fontsize=10.5, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=9.5, color=INK)
    axes.set_ylabel(y, fontsize=9.5, color=INK)
    axes.tick_params(labelsize=9, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)


def plain_log_ticks(axes: Axes, low: float, high: float) -> None:
    """Label a logarithmic y axis from low to high with numbers as people write them: 0.5, 1, 2."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.set_ylim(low, high)
    few = high < 300 * low  # decades alone would leave fewer than three labels
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def say(axes: Axes, sentence: str) -> None:
    """Write a sentence in the middle of axes that have nothing to show."""
    axes.text(
        0.5, 0.5, sentence,
        transform=axes.transAxes, ha="center", va="center", fontsize=10, color=FAINT, wrap=True,
    )  # fmt: skip


def to_png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG file, under 100 kB unless it is all noise.

    It has 256 colours, or fewer where it would be larger. The same figure gives the same bytes: the
    file carries no date.
    """
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    with Image.open(drawn) as opened:
        image = opened.convert("RGB")
    smooth, spare = Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE
    for colours, method in ((256, smooth), (128, spare), (64, spare)):
        file = io.BytesIO()
        image.quantize(colours, method).save(file, "PNG", optimize=True)
        if file.tell() < _LARGEST:
            break
    return file.getvalue()
