"""Steps as TensorBoard shows them: one event record each, and the keyframes once more."""

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from layerscope.diagnose import LayerFacts
from layerscope.diagnose.findings.findings_text import TAG as FINDINGS
from layerscope.diagnose.findings.findings_text import findings_markdown
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_COLUMN, STEP_FIGURES
from layerscope.diagnose.measured.figures import Array
from layerscope.events.encoders import ScalarEncoder
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import PLUGIN, document, image, scalar, text
from layerscope.record import Channel
from layerscope.sinks import parts_event
from layerscope.sinks.chart_descriptions import describe_scalar, layer_charts
from layerscope.sinks.figures_event import PREDICTION, FiguresEncoder
from layerscope.sinks.step_block import RunEnd, Step, StepBlock
from layerscope.sinks.step_histograms import StepHistograms
from layerscope.sinks.step_scalars import StepScalars

KEYFRAMES = "keyframes"
"""Folder of the sibling run that repeats the log-spaced steps, which TensorBoard shows whole."""

_LOSS = STEP_COLUMN["loss"]

_TOGETHER = 64
"""Steps encoded side by side: their bytes pass through four copies, and stay in the processor's
cache where they are few."""

_EVENT_BYTES = 120  # around a step's values, and around its figures
_HISTOGRAM_BYTES = 388  # without its tag


def bytes_per_step(channels: Sequence[Channel]) -> int:
    """What the record of a step with all these channels takes in an event file, scalars apart."""
    logged = sum(channel.quantity.is_of_any_scale for channel in channels)
    tags = sum(len(channel.tag) for channel in channels)
    entries = len({channel.layer for channel in channels})
    figures = 4 * (entries * len(LAYER_FIGURES) + len(STEP_FIGURES))
    return _EVENT_BYTES + (len(channels) + logged) * _HISTOGRAM_BYTES + 2 * tags + figures


class TensorBoardSink:
    """Writes steps: one event record each, in the run and, of the keyframes, in its sibling, which
    ends with the run's last step and the weights that the run ends with.

    In a record are `StepHistograms`; the step's figures, for programs; and `StepScalars` where they
    are wanted. A scalar `finding/RULE` marks the step at which a finding began, 1 to 3 by its
    severity.

    Args:
        events: the run's event file, where somebody else writes to it too; it stays theirs to
            close.
        note: a sentence for every histogram's description, such as that steps are left out.
        flush_seconds: the longest that an event waits for the next one to take it along.
        resumed_at: the step at which a run goes on: what its earlier files say of it and of later
            ones is abandoned. None: there are none.
        loss_tag: of the scalar that every step's loss becomes, where it is known; None: of none.
    """

    def __init__(
        self,
        directory: str | PathLike[str],
        events: EventFile | None = None,
        note: str = "",
        flush_seconds: float = 10.0,
        resumed_at: int | None = None,
        loss_tag: str | None = None,
    ) -> None:
        self._is_own = events is None
        self._events = events or EventFile(directory, flush_seconds=flush_seconds)
        self._events.add(resumed_at or 0, [layer_charts()])
        self._keyframe_events = EventFile(Path(directory) / KEYFRAMES, flush_seconds=flush_seconds)
        for file in (self._events, self._keyframe_events):
            if resumed_at is not None and any(
                path != file.path for path in file.path.parent.glob("*tfevents*")
            ):
                file.restart(resumed_at)
        self._note = note
        self._layers: tuple[LayerFacts, ...] | None = None
        self._sets = 0
        self._loss = None
        if loss_tag is not None:
            self._loss = ScalarEncoder([loss_tag], [describe_scalar(loss_tag)])

    def awaits(self, step: int) -> bool:
        """No step: they cost less together."""
        return False

    def write(self, block: StepBlock) -> None:
        """Write some steps, after the marks of what was found in them."""
        if block.figures.layers is not self._layers:
            self._encode_for(block)
        if block.prediction is not None:
            prediction = json.dumps(block.prediction.as_json())
            self._events.add(0, [document(PREDICTION, prediction, PLUGIN)])
        for finding in block.findings:
            mark = scalar(f"finding/{finding.rule}", finding.level + 1)
            self._events.add(finding.step, [mark])
        for first in range(0, len(block.steps), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            self._write_steps(
                block.steps[some], block.figures.of_layers[some], block.figures.of_steps[some]
            )

    def _write_steps(self, steps: Sequence[Step], of_layers: Array, of_steps: Array) -> None:
        readings = [step.observation.reading.get() for step in steps]
        rows = [row for row, step in enumerate(steps) if step.with_scalars]
        scalars = self._scalars.encode_steps(
            [readings[row] for row in rows], of_layers[rows], of_steps[rows]
        )
        further = self._losses(of_steps)
        for row, of_step in zip(rows, scalars, strict=True):
            further[row] = [*of_step, *further[row]]
        for row, step in enumerate(steps):
            if step.observation.look is not None:
                further[row] = [*parts_event.encode(step.observation.look.inside), *further[row]]
            if step.is_keyframe:
                self._write_keyframe(step)
        encoded = zip(
            steps,
            self._histograms.encode_steps(readings),
            self._figures.encode_steps(of_layers, of_steps),
            further,
            strict=True,
        )
        self._events.add_all(
            (step.observation.step, [*histograms, *figures, *more], step.wall_time)
            for step, histograms, figures, more in encoded
        )

    def _losses(self, of_steps: Array) -> list[list[bytes | memoryview]]:
        """Of each step its loss as values; none where it is not known, or has no scalar."""
        values: list[list[bytes | memoryview]] = [[] for _ in of_steps]
        if self._loss is not None:
            known = np.flatnonzero(~np.isnan(of_steps[:, _LOSS]))
            encoded = self._loss.encode_steps(of_steps[known, _LOSS][:, np.newaxis])
            for row, loss in zip(known.tolist(), encoded, strict=True):
                values[row].append(loss)
        return values

    def _encode_for(self, block: StepBlock) -> None:
        """From now on steps have these layers: a new set of tags for the figures."""
        self._layers = block.figures.layers
        self._sets += 1
        self._histograms = StepHistograms(block.channels, self._note)
        self._keyframe_histograms = StepHistograms(block.channels, self._note)
        self._scalars = StepScalars(block.channels, self._layers)
        self._figures = FiguresEncoder(self._layers, self._sets)

    def _write_keyframe(self, step: Step) -> None:
        # Each file needs each tag's description once, so each has encoders of its own.
        values = self._keyframe_histograms.encode(step.observation.reading.get())
        self._keyframe_events.add(step.observation.step, values, step.wall_time)

    def flush(self) -> None:
        """Hand all that was written to the operating system."""
        self._events.flush()
        self._keyframe_events.flush()

    def write_end(self, end: RunEnd) -> None:
        """Write the findings as a text, and pictures; the last step is a keyframe in any case."""
        if self._layers is not None and not end.last.is_keyframe:
            self._write_keyframe(end.last)
        images = [image(tag, png) for tag, png in end.pictures.items()]
        values = [text(FINDINGS, findings_markdown(end.findings)), *images]
        self._events.add(end.last.observation.step, values)

    def close(self) -> None:
        """Close the files that are its own; a second call does nothing."""
        try:
            self._keyframe_events.close()
        finally:
            if self._is_own:
                self._events.close()
