"""Many trainings with one command, of which each may fail."""

from layerscope.lab.sweep.end import run_to_its_end
from layerscope.lab.sweep.fingerprint import fingerprint, versions
from layerscope.lab.sweep.job import run_as_job

__all__ = ["fingerprint", "run_as_job", "run_to_its_end", "versions"]
