"""The CUDA kernels, in Triton: the only importer of it."""
