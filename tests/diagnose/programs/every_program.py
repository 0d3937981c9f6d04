"""All programs, by name."""

from tests.diagnose.programs import (
    of_attention,
    of_axes,
    of_data,
    of_divergence,
    of_ends,
    of_experts,
    of_language,
    of_loops,
    of_loss,
    of_network,
    of_optimizer,
    of_starts,
    of_streams,
    of_terms,
    of_too_little,
    of_updates,
    of_weights,
)
from tests.diagnose.programs.program import PROGRAMS

__all__ = [
    "PROGRAMS",
    "of_attention",
    "of_axes",
    "of_data",
    "of_divergence",
    "of_ends",
    "of_experts",
    "of_language",
    "of_loops",
    "of_loss",
    "of_network",
    "of_optimizer",
    "of_starts",
    "of_streams",
    "of_terms",
    "of_too_little",
    "of_updates",
    "of_weights",
]
