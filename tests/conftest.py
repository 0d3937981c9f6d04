"""What holds for all tests."""

import os

# Read when torch starts, in the tests' own processes and in those that they start: the networks are
# too small to gain from a second thread, and the tests already use all cores.
os.environ["OMP_NUM_THREADS"] = "1"
