"""Many runs, one answer: which settings train best, with how much certainty."""

from layerscope.comparison.compare import Comparison, compare
from layerscope.comparison.comparison_file import write_comparison
from layerscope.comparison.comparison_table import comparison_table
from layerscope.comparison.run import Run

__all__ = ["Comparison", "Run", "compare", "comparison_table", "write_comparison"]
