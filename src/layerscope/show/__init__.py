"""Observations, findings and predictions become something to look at, and are read back."""
