"""A tensor becomes a Histogram: exact, mergeable, and near the speed of the memory."""

from layerscope.measure.histogram import Histogram
from layerscope.measure.moments import Moments
from layerscope.measure.tally import Tally

__all__ = ["Histogram", "Moments", "Tally"]
