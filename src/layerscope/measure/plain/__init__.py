"""The kernels in plain torch, for devices without one, and as their reference."""
