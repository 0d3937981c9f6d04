"""Train a deep MLP on names and look into every layer: `python train.py init=kaiming`.

Composes the config in conf/ and runs one training, or many with `-m`. Exit codes: 0 finished, 1 the
training failed, 2 a setting or a file cannot be used, 4 finished with a finding that
monitor.fail_on refuses, 130 and 143 interrupted by Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    from layerscope.training.termination import exit_when_stopped

    exit_when_stopped()  # in the seconds of importing, too

import hydra
from omegaconf import DictConfig

from layerscope.lab.sweep import run_to_its_end
from layerscope.reader_gone import while_read
from layerscope.training.start import start


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Hydra calls this once, or once per job of a sweep."""
    from layerscope.training.run import run  # not above: a worker of a launcher gets this function

    return run(cfg)


def report_on(folder: Path, page: bool) -> None:
    """Compare a sweep's jobs, on a page if it is wanted."""
    from layerscope.commands import report  # not above: it imports what draws

    report.report_on(folder, page=page)


if __name__ == "__main__":
    conf = Path(__file__).parent / "conf"
    sys.exit(while_read(lambda: run_to_its_end(lambda: start(main, conf), report_on)))
