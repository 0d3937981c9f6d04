"""What a run tells at its end: tables, and the answer in its last line."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from layerscope.console.health_table import health_table
from layerscope.console.place_tables import place_tables
from layerscope.console.plain_table import STYLES
from layerscope.console.summary import from_here, summary
from layerscope.console.terminal import terminal
from layerscope.diagnose import SEVERITIES
from layerscope.diagnose.findings.severity import counted
from layerscope.lab.status import RunStatus
from layerscope.report import write_report
from layerscope.training.experiment import Experiment


def tell(experiment: Experiment, cfg: DictConfig, status: RunStatus) -> None:
    """Print what a training came to, write report.html, and end with the answer in a line."""
    console = terminal()
    folder = Path(str(cfg.folder))
    _print_tables(experiment, cfg, status, console)
    page = _report(folder) if cfg.report and experiment.monitor else None
    diagnosis = experiment.monitor and experiment.monitor.diagnosis
    findings = diagnosis["findings"] if diagnosis else None
    console.print(last_line(findings, page, folder), highlight=False, soft_wrap=True)


def last_line(
    findings: Sequence[Mapping[str, Any]] | None, page: Path | None, folder: Path
) -> Text:
    """How many findings there are, where the report lies and how to open TensorBoard, in a line.

    Args:
        findings: as diagnosis.json has them; None of a run that nobody watched.
        page: report.html; None where none was written.
        folder: of the run. `make board` opens the newest run below logs/; of another,
            TensorBoard's own command is told.
    """
    below_logs = Path("Makefile").is_file() and folder.resolve().is_relative_to(
        Path("logs").resolve()
    )
    severities = [finding["severity"] for finding in findings or ()]
    parts = [] if findings is None else [counted(severities)]
    parts += [] if page is None else [f"report: {from_here(page)}"]
    parts.append(
        f"board: {'make board' if below_logs else f'tensorboard --logdir {from_here(folder)}'}"
    )
    worst = max(severities, key=SEVERITIES.index, default="")
    return Text(" · ".join(parts), style=STYLES.get(worst, "green"))


def _print_tables(
    experiment: Experiment, cfg: DictConfig, status: RunStatus, console: Console
) -> None:
    val_loss = "" if status.val_loss is None else f", val/loss {status.val_loss:.4f} nats"
    console.print(f"\n{status.steps} steps in {status.seconds:.1f} s{val_loss}", highlight=False)
    if status.state != "finished":
        console.print(f"{status.state}: {status.reason}", highlight=False, markup=False)
    console.print(f"logs: {cfg.folder}", highlight=False, markup=False, soft_wrap=True)
    if experiment.monitor is not None and experiment.monitor.diagnosis is not None:
        console.print(summary(experiment.monitor.diagnosis["findings"]))
        console.print(health_table(experiment.monitor.diagnosis))
        for table in place_tables(experiment.monitor.diagnosis):
            console.print(table)
    if cfg.names and status.state == "finished":
        generator = torch.Generator().manual_seed(cfg.seed)
        try:
            names = ", ".join(experiment.model.made_up(cfg.names, generator))
        except ValueError as error:  # logits that overflow, of a loss that does not yet
            names = f"nothing: {error}"
        console.print(f"names that it made up: {names}", highlight=False, markup=False)


def _report(folder: Path) -> Path | None:
    try:
        return write_report(folder)
    except OSError as error:  # a full disk, say: the training has its result all the same
        print(f"report.html was not written: {error.strerror or error}", file=sys.stderr)
        return None
