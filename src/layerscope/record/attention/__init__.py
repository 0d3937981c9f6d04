"""Attention, in whichever way a network computes it: what its heads look at."""
