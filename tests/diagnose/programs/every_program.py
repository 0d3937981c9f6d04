"""All programs, by name."""

from tests.diagnose.programs import of_data, of_loss, of_network, of_optimizer
from tests.diagnose.programs.program import PROGRAMS

__all__ = ["PROGRAMS", "of_data", "of_loss", "of_network", "of_optimizer"]
