"""The command that trains: `layerscope train`, or `python train.py` in a checkout.

Composes a config and runs one training, or many with `-m`. Exit codes: 0 finished, 1 the training
failed, 2 a setting or a file cannot be used, 4 finished with a finding that monitor.fail_on
refuses, 130 and 143 interrupted by Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layerscope.reader_gone import while_read
from layerscope.training.termination import exit_when_stopped

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(conf: Path, arguments: Sequence[str], typed: str = "python train.py") -> int:
    """Train as the arguments say; the exit code.

    Args:
        conf: the folder with train.yaml and its groups.
        arguments: settings, and flags of Hydra's.
        typed: the words before them, for what is printed.
    """
    exit_when_stopped()  # in the seconds of importing, too
    import hydra

    from layerscope.lab.sweep import run_to_its_end
    from layerscope.training.start import start

    begun = list(sys.argv)

    def job(cfg: DictConfig) -> float | None:
        """Hydra calls this once, or once per job of a sweep."""
        from layerscope.training.run import run  # not above: a worker of a launcher gets this

        sys.argv[:] = begun  # Lightning starts the processes of further devices by it
        return run(cfg)

    # Hydra takes the name of the program, which hydra.yaml and so the report tell, from here.
    job.__module__ = typed.removeprefix("python ").removesuffix(".py")
    task = hydra.main(version_base="1.3", config_path=str(conf.resolve()), config_name="train")(job)
    sys.argv[1:] = arguments  # which Hydra reads
    try:
        return while_read(lambda: run_to_its_end(lambda: start(task, conf, typed), report_on))
    finally:
        sys.argv[:] = begun


def report_on(folder: Path, page: bool) -> None:
    """Compare a sweep's jobs, on a page if it is wanted."""
    from layerscope.commands import report  # not above: it imports what draws

    report.report_on(folder, page=page)
