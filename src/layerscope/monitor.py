"""LayerMonitor: the one place where Lightning meets record, diagnose and show."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec

import lightning.pytorch as pl
from torch.optim import Optimizer

from layerscope.diagnose import Thresholds
from layerscope.logger import EventLogger
from layerscope.measure.tally import EXACT
from layerscope.record import Layer, Observation, Recorder, choose_layers, is_keyframe
from layerscope.record import every_n_steps as every
from layerscope.record.schedule import KEYFRAMES, Schedule, thinned_to
from layerscope.show.diagnosis_file import diagnosis_of, write_diagnosis
from layerscope.show.event_file import EventFile
from layerscope.show.step_log import StepLog, bytes_per_step

_log = logging.getLogger(__name__)

_P = ParamSpec("_P")


_Hook = Callable[Concatenate["LayerMonitor", pl.Trainer, _P], None]


def _never_stops_training(hook: _Hook[_P]) -> _Hook[_P]:
    """A callback hook whose failure ends the monitoring, loudly and once, and nothing else."""

    @functools.wraps(hook)
    def guarded(
        self: LayerMonitor, trainer: pl.Trainer, /, *args: _P.args, **kw: _P.kwargs
    ) -> None:
        try:
            hook(self, trainer, *args, **kw)
        except Exception as error:
            self._give_up(trainer.global_step, error)

    return guarded


class LayerMonitor(pl.Callback):
    """Logs what every layer does at every step, for TensorBoard and for diagnosis.json.

    A pure observer: training yields the same weights with it or without it, bit for bit. In each
    optimizer step it measures every layer's activations (in the forward pass, where they lie),
    activation gradients (on the way back) and weight gradients (before clipping, unscaled), adds
    up micro-batches, and writes one event record; the x is Lightning's `global_step` k before the
    step, as for `self.log`. Weights are measured before the step. Hooks are on only while
    training: not in sanity checking, validation or prediction, nor after fit or an exception.

    In `log_dir` it writes an event file (the `EventLogger`'s own, if that is the trainer's logger),
    the sibling run `keyframes`, which TensorBoard shows whole, and `diagnosis.json`. Scalars, per
    layer: `activation_mean`, `activation_std`, `saturated_share` (0 to 1), `activation_grad_rms`,
    `weight_grad_rms`. In diagnosis.json the weights of the last step are the trained ones. Only
    rank 0 records.

    Args:
        log_dir: where to write; by default the trainer's `log_dir`.
        layers: a regular expression on module paths; by default all modules that compute.
        quantities: what to record at every step: of activation, activation_grad, weight_grad,
            weight. Weights are recorded at the keyframes in any case.
        biases: also record biases and their gradients.
        every_n_steps: measure every n-th step; the keyframes are measured in any case.
        schedule: instead of every_n_steps, any function step -> bool, such as
            `record.log_spaced(8)`.
        scalars_every_n_steps: how often the scalars are written too.
        max_elements: of a tensor with more elements, on the CPU, a random sample of this size
            makes the histogram, and the descriptions in TensorBoard say so; its moments and
            non-finite counts stay exact. None counts all.
        max_megabytes: what the event files may grow to, in 10**6 bytes; at least 1. If the run's
            steps would pass it, later steps are thinned first, and a warning and the descriptions
            in TensorBoard say so.
        saturation_threshold: a tanh output beyond it, in absolute value, is saturated; for other
            bounded functions the same share of the way to the ends.
        thresholds: what the verdicts are judged by.
        flush_seconds: how long an event may wait before it is on the disk.

    Attributes:
        diagnosis: the content of diagnosis.json, after fit or an exception; None before.
        failure: if the monitor itself failed, at which step and why: it then took its hooks off,
            logged one error, and training went on to the same weights. None otherwise.

    Raises:
        ValueError: an argument is out of its bounds; at the start of fit, no layer matches.
    """

    def __init__(
        self,
        log_dir: str | None = None,
        layers: str | None = None,
        quantities: Sequence[str] = ("activation", "activation_grad", "weight_grad"),
        biases: bool = False,
        every_n_steps: int = 1,
        schedule: Schedule | None = None,
        scalars_every_n_steps: int = 10,
        saturation_threshold: float = 0.97,
        thresholds: Thresholds | None = None,
        max_elements: int | None = None,
        max_megabytes: float = 500.0,
        flush_seconds: float = 10.0,
    ) -> None:
        self._log_dir = log_dir
        self._pattern = layers
        if scalars_every_n_steps < 1:
            raise ValueError(
                f"scalars_every_n_steps must be at least 1, got {scalars_every_n_steps}"
            )
        if not max_megabytes >= 1:
            raise ValueError(f"max_megabytes must be at least 1, got {max_megabytes}")
        self._wanted = schedule or every(every_n_steps)
        self._every_n_steps = every_n_steps if schedule is None else 1
        self._due = self._wanted
        self._scalars_due = every(scalars_every_n_steps)
        self._most_bytes = max_megabytes * 1e6
        self._weights_always = "weight" in quantities
        self._recorder_options: dict[str, Any] = {
            "quantities": (*quantities, "weight"),
            "biases": biases,
            "saturation_threshold": saturation_threshold,
            "max_elements": EXACT if max_elements is None else max_elements,
        }
        Recorder((), **self._recorder_options)  # refuses bad arguments now, not at the start of fit
        if not flush_seconds >= 0:
            raise ValueError(f"flush_seconds must be at least 0, got {flush_seconds}")
        self._thresholds = thresholds or Thresholds()
        self._flush_seconds = flush_seconds
        self.diagnosis: dict[str, Any] | None = None
        self.failure: str | None = None

        self._directory = ""
        self._layers: tuple[Layer, ...] = ()
        self._recorder: Recorder | None = None
        self._log: StepLog | None = None
        self._own_events: EventFile | None = None
        self._first: Observation | None = None
        self._last: Observation | None = None
        self._step: int | None = None
        self._with_weights = False

    def layers_of(self, module: pl.LightningModule) -> tuple[Layer, ...]:
        """The layers of a module that it watches; ValueError if there are none."""
        return choose_layers(module, self._pattern)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a module with nothing to watch, before anything runs."""
        if stage == "fit":
            self.layers_of(pl_module)

    @_never_stops_training
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose the layers, open the files and put the hooks on."""
        self._directory = self._log_dir or trainer.log_dir or trainer.default_root_dir
        self.failure = None
        if not trainer.is_global_zero:
            return
        self._layers = self.layers_of(pl_module)
        self._recorder = Recorder(self._layers, **self._recorder_options)
        self._first = self._last = None
        logger = trainer.logger
        if isinstance(logger, EventLogger) and logger.log_dir == self._directory:
            events = logger.events  # TensorBoard follows one growing file per run
        else:
            events = EventFile(self._directory, flush_seconds=self._flush_seconds)
            self._own_events = events
        notes = [self._keep_to_budget(trainer.estimated_stepping_batches)]
        if (most := self._recorder_options["max_elements"]) != EXACT:
            notes.append(f"Of a tensor with more than {most} elements this is a random sample.")
        self._log = StepLog(
            events,
            self._directory,
            self._recorder.channels,
            frozenset(
                layer.name
                for layer in self._layers
                if layer.nonlinearity is not None and layer.nonlinearity.bounds is not None
            ),
            self._scalars_due,
            " ".join(filter(None, notes)),
            self._flush_seconds,
        )
        self._recorder.attach()

    def _keep_to_budget(self, steps: float) -> str:
        """Thin the schedule if the event files would outgrow max_megabytes; what was done."""
        assert self._recorder is not None
        most = int(self._most_bytes / bytes_per_step(self._recorder.channels))
        interval = self._every_n_steps
        first, thinned = thinned_to(max(most - KEYFRAMES, 1), steps / interval)
        self._due = self._wanted
        if first * interval >= steps:
            return ""
        self._due = lambda step: self._wanted(step) and thinned(step // interval)
        note = (
            f"From step {first * interval} on steps are left out, ever more of them, to keep to "
            f"max_megabytes={self._most_bytes / 1e6:g}."
        )
        _log.warning("LayerMonitor: %s", note)
        return note

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count in this batch, if its step is due."""
        if self._recorder is not None:
            step = trainer.global_step
            self._recorder.counting = is_keyframe(step) or self._due(step)

    @_never_stops_training
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Measure what the optimizer is about to receive, and the weights it starts from."""
        if self._recorder is None or not self._recorder.counting:
            return
        self._step = trainer.global_step
        self._with_weights = self._weights_always or is_keyframe(self._step)
        self._recorder.measure_gradients()
        if self._with_weights:
            self._recorder.measure_weights()

    @_never_stops_training
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write the step, once the optimizer has taken it: after its last micro-batch."""
        if self._recorder is None or self._log is None:
            return
        if self._recorder.failure is not None:
            raise self._recorder.failure
        if not self._recorder.counting:
            return
        self._recorder.counting = False
        if isinstance(outputs, dict) and "loss" in outputs:
            self._recorder.note_loss(outputs["loss"])
        if self._step is None:
            return
        observation = self._recorder.observe(self._step, self._with_weights)
        self._log.write(observation)
        self._first = self._first or observation
        self._last = observation
        self._step = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the hooks off: validation is not what the optimizer learns from."""
        if self._recorder is not None:
            self._recorder.detach()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the hooks on again."""
        if self._recorder is not None:
            self._recorder.attach()

    @_never_stops_training
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the hooks off, write the diagnosis and close the files."""
        self._finish()

    @_never_stops_training
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The same: Lightning calls nothing else after an exception."""
        self._finish()

    def _finish(self) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        self._stop()
        if self._first is not None and self._last is not None:
            observations = [self._first, recorder.with_weights_now(self._last)]
            self.diagnosis = diagnosis_of(
                observations, self._layers, self._thresholds, recorder.not_measured
            )
            write_diagnosis(self._directory, self.diagnosis)

    def _stop(self) -> None:
        """Take the hooks off and close the files; nothing is left to do if closing fails."""
        recorder, log, own_events = self._recorder, self._log, self._own_events
        self._recorder = self._log = self._own_events = None
        if recorder is not None:
            recorder.detach()
        try:
            if log is not None:
                log.close()
        finally:
            if own_events is not None:
                own_events.close()

    def _give_up(self, step: int, error: Exception) -> None:
        self.failure = f"monitoring stopped at step {step}: {type(error).__name__}: {error}"
        _log.error("LayerMonitor: %s; training goes on.", self.failure, exc_info=error)
        with contextlib.suppress(Exception):  # told already, and perhaps the very same
            self._stop()
