"""Where Lightning meets the instrument."""
