"""Many runs, one answer: which settings train best, with how much certainty."""

from layerscope.show.comparison.compare import Comparison, compare
from layerscope.show.comparison.comparison_file import write_comparison
from layerscope.show.comparison.comparison_table import comparison_table
from layerscope.show.comparison.run import Run

__all__ = ["Comparison", "Run", "compare", "comparison_table", "write_comparison"]
