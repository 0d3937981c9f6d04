"""The instrument on one network, whoever trains it: hooks, records, findings and files."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from layerscope.diagnose import Figures
from layerscope.diagnose.not_measured import not_measured_finding
from layerscope.events.event_file import EventFile
from layerscope.record import Layer, Observation, Recorder, choose_layers, is_keyframe
from layerscope.record.observation import (
    CLIPPED_SQUARED_NORM,
    FOUND_INF,
    LOSS,
    SCALE,
    SQUARED_NORM,
)
from layerscope.record.schedule import KEYFRAMES, thinned_to
from layerscope.session.diagnosis_file import diagnosis_of, write_diagnosis
from layerscope.session.ranks import Ranks
from layerscope.session.run_verdict import JudgedRun
from layerscope.session.settings import NEVER, Settings
from layerscope.session.step_figures import Observed
from layerscope.session.stopwatch import Stopwatch
from layerscope.sinks.custom_scalars import layer_charts
from layerscope.sinks.tensorboard import StepLog, bytes_per_step
from layerscope.theory import Expected

_log = logging.getLogger("layerscope")

_GRADIENTS = frozenset({"activation_grad"})
_GRADIENTS_AND_WEIGHTS = frozenset({"activation_grad", "weight_grad", "bias_grad"})


class Scope:
    """Watches a network, step by step. `LayerMonitor` and `watch` drive it.

    In the order of a training step: `begin`, forward and `note_loss` and backward (for every
    micro-batch), `before_update`, the optimizer's step, `after_update`, `end`.

    Args:
        network: what is trained.
        directory: the run's folder.
        settings: how to watch.
        events: the run's event file, where somebody else writes to it too.
        steps: how many the run will have, infinity if unknown: for `max_megabytes`.
        start: its first step: what earlier files in the folder say of it and of later ones was
            abandoned.
        expected: what theory says of the network at step 0.

    Attributes:
        directory: as given.
        diagnosis: the content of diagnosis.json, after `close`.
        run: what has been found so far.
        must_stop: whether the training must end now; on all ranks in the same step.

    Raises:
        ValueError: no layer matches.
    """

    def __init__(
        self,
        network: nn.Module,
        directory: str | PathLike[str],
        settings: Settings,
        events: EventFile | None = None,
        steps: float = math.inf,
        start: int = 0,
        expected: Expected | None = None,
    ) -> None:
        self.directory = str(directory)
        self.diagnosis: dict[str, Any] | None = None
        self._settings = settings
        self._layers = choose_layers(network, settings.layers)
        _refuse_shards(self._layers)
        self._recorder = Recorder(self._layers, settings.asked, network)
        if settings.layers is None:
            self._recorder.not_measured |= _unwatched_parameters(network, self._layers)
        self._ranks = Ranks()
        self._due = settings.wanted
        self._updates_every = settings.updates_every_n_steps
        self._stopwatch = Stopwatch(settings.budget)
        self._interval = 1
        self._observed: Observed | None = None
        self._first: Observation | None = None
        self._last: Observation | None = None
        self._pending: int | None = None  # the step whose update is under way
        self._has_loss = self._with_weights = self._updating = False
        self._about: dict[str, Any] = {}
        self._failed = False
        self._told_unfired = False
        self.run = JudgedRun(settings, self._layers, expected)
        self.must_stop = False
        self._log: StepLog | None = None
        self._own_events: EventFile | None = None
        if self._ranks.rank == 0:
            if events is None:
                events = EventFile(self.directory, flush_seconds=settings.flush_seconds)
                self._own_events = events
            self._events = events
            events.add(start, [layer_charts()])
            self._log = StepLog(
                events,
                self.directory,
                self._look,
                lambda step: step % settings.scalars_every_n_steps == 0,
                " ".join(self._notes(steps)),
                settings.flush_seconds,
                patient=settings.stop_on == NEVER,
                start=start,
            )
        self.attach()

    def _notes(self, steps: float) -> Iterator[str]:
        """Thin the schedule if the event files would outgrow max_megabytes; what was done."""
        settings = self._settings
        most = int(settings.max_megabytes * 1e6 / bytes_per_step(self._recorder.channels))
        interval = settings.every_n_steps if settings.schedule is None else 1
        first, thinned = thinned_to(max(most - KEYFRAMES, 1), steps / interval)
        if first * interval < steps:
            wanted = settings.wanted
            self._due = lambda step: wanted(step) and thinned(step // interval)
            note = (
                f"From step {first * interval} on steps are left out, ever more of them, to keep "
                f"to max_megabytes={settings.max_megabytes:g}."
            )
            _log.log(
                logging.WARNING if steps < math.inf else logging.INFO, "LayerMonitor: %s", note
            )
            yield note
        if settings.max_elements is not None:
            yield (
                f"Of a tensor with more than {settings.max_elements} elements this is a random "
                "sample."
            )

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        self._recorder.attach()

    def detach(self) -> None:
        """Take the hooks off: what runs now is not what the optimizer learns from."""
        self._recorder.detach()

    # A training step.

    def begin(self, step: int) -> None:
        """A micro-batch of a step begins."""
        recorder = self._recorder
        if step % self._interval == 0 or is_keyframe(step):
            recorder.counting = is_keyframe(step) or self._due(step)
        else:
            recorder.counting = False
        timed = self._stopwatch.begin(recorder.counting)
        recorder.clock = time.perf_counter if timed else None

    def note_loss(self, loss: Tensor) -> None:
        """Add a micro-batch's loss, with the gradient scaler's factor in it if there is one."""
        if self._recorder.counting:
            self._recorder.carry(LOSS, loss)
            self._has_loss = True

    def before_update(
        self,
        step: int,
        optimizer: Optimizer,
        *,
        index: int = 0,
        alone: bool = True,
        scale: Tensor | None = None,
        clips: bool = False,
    ) -> None:
        """Measure what the optimizer is about to receive, and the weights it starts from.

        Counting then pauses until `end` or `begin`: of a step that calls its closure several times,
        as LBFGS does, the first evaluation is what is recorded.

        Args:
            step: the x of the record.
            optimizer: which is about to step.
            index: its number.
            alone: whether it has all parameters; otherwise only its own are measured.
            scale: the factor of a gradient scaler; where the optimizer itself takes it out again,
                the weight gradients still have it.
            clips: whether gradients may be clipped between now and the update.
        """
        recorder = self._recorder
        if not recorder.counting:
            return
        began = time.perf_counter()
        own = None
        if not alone:
            own = {p for group in optimizer.param_groups for p in group["params"]}.__contains__
        recorder.measure_gradients(own)
        self.measure_weights(step, lambda p: p.grad is not None and (own is None or own(p)))
        if scale is not None:
            recorder.carry(SCALE, scale)
            unscales = not getattr(optimizer, "_step_supports_amp_scaling", False)
            recorder.scaled = _GRADIENTS if unscales else _GRADIENTS_AND_WEIGHTS
        if clips:
            recorder.carry(SQUARED_NORM, _squared_norm(optimizer))
        self.note_optimizer(optimizer, index)
        self._clips, self._scales = clips, scale is not None
        recorder.counting = False
        self._pending = step
        self._stopwatch.add_hooks(recorder.take_spent())
        self._stopwatch.add(time.perf_counter() - began)

    def measure_weights(self, step: int, may_change: Callable[[nn.Parameter], bool]) -> None:
        """Measure the weights that a step starts from, and copy them, if it is due.

        Args:
            step: the x of the record.
            may_change: which parameters the step is going to change.
        """
        settings, keyframe, every = self._settings, is_keyframe(step), self._updates_every
        self._updating = every > 0 and (keyframe or step % every == 0)
        self._with_weights = (
            keyframe
            or "weight" in settings.quantities
            or ("update" in settings.quantities and self._updating)
        )
        if self._with_weights:
            self._recorder.measure_weights()
        if self._updating:
            self._recorder.begin_update(may_change)

    def measure_gradients(self, of: Callable[[nn.Parameter], bool]) -> None:
        """Measure gradients now, of these parameters."""
        if self._recorder.counting:
            self._recorder.measure_gradients(of)

    @property
    def is_counting(self) -> bool:
        """Whether the step that goes on is measured."""
        return self._recorder.counting

    def finish(
        self,
        step: int,
        changed: Callable[[nn.Parameter], bool],
        scale: Tensor | None = None,
        left_out: bool = False,
    ) -> None:
        """Record a step that nobody announced by `before_update`; raises what a hook ran into.

        Args:
            step: the x of the record.
            changed: which parameters an optimizer has come to.
            scale: the factor of a gradient scaler, which activation gradients have.
            left_out: whether that scaler has left the step out.
        """
        if self._recorder.failure is not None:
            raise self._recorder.failure
        if not self._recorder.counting:
            return
        began = time.perf_counter()
        self._stopwatch.add_hooks(self._recorder.take_spent())
        self._pending = step
        if scale is not None:
            self._recorder.carry(SCALE, scale)
            self._recorder.scaled = _GRADIENTS
        self._record(self._recorder.end_update(changed) if self._updating else None, left_out)
        self._recorder.counting = False
        self._stopwatch.add(time.perf_counter() - began)

    def note_optimizer(self, optimizer: Optimizer, index: int = 0) -> None:
        """Note which optimizer takes the step, and its learning rate."""
        groups = optimizer.param_groups  # none, where configure_optimizers returns None
        rate = groups[0].get("lr", math.nan) if groups else math.nan
        self._about = {"optimizer": index, "learning_rate": float(rate)}

    def after_update(self, optimizer: Optimizer) -> None:
        """Measure what the optimizer's step has changed, and record the step."""
        if self._pending is None:
            return
        began = time.perf_counter()
        if (found := getattr(optimizer, "found_inf", None)) is not None:
            self._recorder.carry(FOUND_INF, found)
        if self._clips:
            self._recorder.carry(CLIPPED_SQUARED_NORM, _squared_norm(optimizer))
        self._record(self._recorder.end_update() if self._updating else None)
        self._stopwatch.add(time.perf_counter() - began)

    def end(self) -> None:
        """A micro-batch ends; a step that no update has followed is recorded as left out.

        Raises what a hook ran into.
        """
        if self._recorder.failure is not None:
            raise self._recorder.failure
        if self._pending is not None:
            began = time.perf_counter()
            self._record(None, left_out=self._scales)
            self._stopwatch.add(time.perf_counter() - began)
        self._recorder.counting = False

    @property
    def has_other_ranks(self) -> bool:
        """Whether other processes train along."""
        return self._ranks.number > 1

    def _record(self, updates: Any, left_out: bool = False) -> None:
        step, self._pending = self._pending, None
        assert step is not None
        recorder, ranks = self._recorder, self._ranks
        if ranks.number > 1:
            self._agree()
        monitor_ms, step_ms = self._stopwatch.news()
        observation = recorder.observe(
            step,
            self._with_weights,
            updates=updates,
            ranks=ranks.number,
            has_loss=self._has_loss,
            left_out=left_out,
            monitor_ms=monitor_ms,
            step_ms=step_ms,
            **self._about,
        )
        self._has_loss = False
        self._keep_to_budget(step)
        if self._log is None:
            return
        self._write(observation)
        if ranks.number == 1:
            self.must_stop = self.run.stop is not None

    def _write(self, observation: Observation) -> None:
        assert self._log is not None
        recorder = self._recorder
        if self._observed is None or self._observed.outdated_by(recorder):
            self._observed = Observed(self._layers, recorder)
            self._log.use(self._observed)
        self._log.write(observation)
        self._first = self._first or observation
        self._last = observation

    def _agree(self) -> None:
        """Come to the same rows on all ranks, and merge them; all stop where one has failed."""
        recorder, ranks = self._recorder, self._ranks
        failed, newcomers, interval, stop = ranks.highest(
            self._failed,
            recorder.has_newcomers,
            self._stopwatch.interval,
            self.run.stop is not None,
        )
        if failed:
            raise RuntimeError("the monitor has failed on a rank of this training")
        self._stopwatch.interval = interval
        self.must_stop = bool(stop)
        if newcomers:
            found = ranks.gathered(recorder.found_places())
            recorder.settle([place for of_rank in found for place in of_rank])
        recorder.combine(ranks.rank, ranks.number, ranks.all_reduce)

    def _keep_to_budget(self, step: int) -> None:
        interval = self._stopwatch.interval
        if interval != self._interval:
            if interval > self._interval and interval >= 2 * self._interval:
                _log.warning(
                    "LayerMonitor: to keep to budget=%g only every %d. step is measured from step "
                    "%d on.",
                    self._settings.budget,
                    interval,
                    step + 1,
                )
            self._interval = interval

    # What was found.

    def _look(self, figures: Figures) -> None:
        if not self._told_unfired:
            self._told_unfired = True
            self._tell_unfired()
        self.run.look(figures, self._events)

    def _tell_unfired(self) -> None:
        unfired = self._recorder.note_unfired(
            "its hook has never fired in training: it was not called as a module, or compiled "
            "before the hook was on"
        )
        if not unfired:
            return
        total = len(self._layers)
        _log.warning(
            "LayerMonitor: %d of %d hooks did not fire in the first step (%s): those modules were "
            "not called, or were called before under torch.compile, which then never sees the "
            "hooks. Call the compiled network first in fit, or call torch._dynamo.reset() before "
            "it; call modules, not functions on their weights.",
            len(unfired),
            total,
            ", ".join(unfired[:5]) + (", ..." if len(unfired) > 5 else ""),
        )

    # The end.

    def close(self) -> None:
        """Take the hooks off, write the diagnosis and close the files; a second call does nothing.

        What was measured is written even where the training was interrupted.
        """
        self._recorder.detach()
        self._ranks.close()
        self._write_out()

    def _write_out(self) -> None:
        log, self._log = self._log, None
        if log is None:
            return
        if self._first is None and self._recorder.reached and not self._failed:
            _log.warning(
                "LayerMonitor: no step was recorded: no optimizer of the trainer's took one, or "
                "scope.step() was never called."
            )
        try:
            log.settle()
            if self._first is not None and self._last is not None:
                missing = self._recorder.still_not_measured()
                if missing:
                    self.run.judge.add(not_measured_finding(missing))
                self.diagnosis = diagnosis_of(
                    [self._first, self._recorder.with_weights_now(self._last)],
                    self._layers,
                    self._settings.thresholds,
                    self.run.judge.findings,
                    missing,
                    self.run.expected,
                    self._settings.classes,
                    self._settings.switched_off,
                )
                write_diagnosis(self.directory, self.diagnosis)
                self.run.draw(self._last.step, self._events)
        finally:
            try:
                log.close()
            finally:
                if self._own_events is not None:
                    self._own_events.close()

    def give_up(self) -> None:
        """Take the hooks off and write what there is, if it can be: the instrument has failed.

        In a distributed training `tell_failure` goes on to tell the other ranks.
        """
        self._recorder.detach()
        self._failed = True
        try:
            self._write_out()
        except Exception:  # told already, and perhaps the very same
            _log.debug("LayerMonitor: while giving up", exc_info=True)

    def tell_failure(self, step: int) -> bool:
        """After `give_up`: tell the other ranks, if they merge this step now; whether they did."""
        try:
            due = is_keyframe(step) or (step % self._interval == 0 and self._due(step))
        except Exception:  # it is the schedule that has failed: most say yes to most steps
            due = True
        if not due:
            return False
        self._ranks.highest(True, False, 1, False)
        self._ranks.close()
        return True

    def state(self) -> dict[str, Any]:
        """What a resumed run goes on from, as plain types: for a checkpoint."""
        if self._log is not None:
            self._log.settle()
        return {"judge": self.run.judge.state(), "units": self._recorder.units.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.run.judge.load_state(state["judge"])
        self._recorder.units.load_state(state["units"])


def _unwatched_parameters(network: nn.Module, layers: Sequence[Layer]) -> dict[str, str]:
    """Parameters that no layer has: a class token, a scale beside the branches that it weighs."""
    watched = {id(parameter) for layer in layers for _, parameter in layer.parameters}
    return {
        name: "it is a parameter of a module that is made of others"
        for name, parameter in network.named_parameters()
        if id(parameter) not in watched
    }


def _refuse_shards(layers: Sequence[Layer]) -> None:
    for layer in layers:
        for name, parameter in layer.parameters:
            if "DTensor" in {
                kind.__name__ for kind in type(parameter).__mro__
            }:  # seconds to import
                raise ValueError(
                    f"the network must have whole parameters in each process, got {layer.path}."
                    f"{name} as a DTensor, a shard of one"
                )


def _squared_norm(optimizer: Optimizer) -> Tensor:
    """Of all gradients that an optimizer has; on their device."""
    gradients = [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
    dense = [g.coalesce().values() if g.is_sparse else g for g in gradients]
    if not dense:
        return torch.zeros(())
    return torch.stack([n.to(dense[0].device) for n in torch._foreach_norm(dense)]).square().sum()
