"""A tensor becomes moments and buckets: exact, mergeable, and near the speed of the memory."""

from layerscope.measure.moments import Moments
from layerscope.measure.tally import Tally

__all__ = ["Moments", "Tally"]
