"""The kernels in plain torch, for devices without one, and for the others to be held to."""
