"""What hooks of ours have in common: how they are put on, taken off, and stand aside."""
