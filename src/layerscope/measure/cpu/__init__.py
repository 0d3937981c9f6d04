"""The CPU kernels, compiled by numba: the only importer of it."""
