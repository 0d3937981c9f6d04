"""Many trainings with one command, of which each may fail."""

from layerscope.lab.sweep.fingerprint import fingerprint, versions
from layerscope.lab.sweep.job import TRACEBACK, run_as_job
from layerscope.lab.sweep.outcome import Job

__all__ = ["TRACEBACK", "Job", "fingerprint", "run_as_job", "versions"]
