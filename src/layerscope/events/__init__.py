"""A TensorBoard event file, written and read back. Knows nothing of layers."""
