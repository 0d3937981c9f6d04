"""The steps of one network that is watched, whoever trains it: measured, observed, passed on."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from layerscope.diagnose import Finding
from layerscope.record.look import Look
from layerscope.record.observation import LOSS, LOSS_OF_RANK_0
from layerscope.record.search import Search
from layerscope.session.stopwatch import Stopwatch
from layerscope.session.watched_run import IN_OUR_OWN_WAY, WatchedRun


class Session(WatchedRun):
    """Watches a network, step by step, from `begin` on; how a step ends is the subclasses' part.

    `AnnouncedSteps` is told before and after each update, as Lightning can; `FinishedSteps` once,
    after it. The arguments are those of `WatchedRun`.

    Attributes:
        must_stop: whether the training must end now; on all ranks in the same step.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.must_stop = False
        self._stopwatch = Stopwatch(self._settings.budget)
        self.step = 0
        self._has_loss = self._with_weights = self._updating = False
        self._about: dict[str, Any] = {}

    @property
    def is_counting(self) -> bool:
        """Whether the step that goes on is measured."""
        return self._recorder.state.counting

    def begin(self, step: int) -> None:
        """A micro-batch of a step begins."""
        self.step = step
        self._with_weights = self._updating = False
        is_due = self._cadence.is_due(step)
        looks = is_due and self._cadence.look_is_due(step)
        if (change := self._hooks.change(looks)) is not None:
            self._hooks.put_back()
            if self._output is not None:
                self._output.pipeline.drain()
            self._hooks.follow(change, step)
        self._hooks.begin(is_due, looks, self._cadence.search(step) if looks else Search.NONE)
        clock = time.perf_counter if self._stopwatch.begin(is_due) else None
        self._recorder.state.clock = clock

    @property
    def changes(self) -> int:
        """How often the network was found to be made of something else than before."""
        return self._hooks.changes

    def see_loss(self, loss: object) -> None:
        """The loss as a loop tells it, with its graph if it has one."""
        if self._recorder.state.counting:
            self._surroundings.loss_graph.see(loss)

    def see_losses_of_passes(self, losses: Sequence[Tensor]) -> None:
        """The losses of a step that has several backward passes, as a loop tells them."""
        if self._recorder.state.counting:
            self._surroundings.note_losses(losses)

    def note_loss(self, loss: Tensor) -> None:
        """Add a micro-batch's loss, with the gradient scaler's factor in it if there is one."""
        if self._recorder.state.counting:
            self._recorder.carry(LOSS, loss)
            if self._ranks.number > 1 and self._ranks.rank == 0:
                self._recorder.carry(LOSS_OF_RANK_0, loss)
            self._has_loss = True

    def note_other_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step that has none of the network's parameters."""
        self._hooks.note_optimizer(optimizer, has_parameters=False)

    def note_optimizer(self, optimizer: Optimizer, index: int = 0) -> None:
        """Note which optimizer takes the step, and its learning rate."""
        self._hooks.note_optimizer(optimizer, has_parameters=True)
        groups = optimizer.param_groups  # none, where configure_optimizers returns None
        rate = groups[0].get("lr", math.nan) if groups else math.nan
        self._about = {"optimizer": index, "learning_rate": float(rate)}

    def measure_weights(self, step: int, may_change: Callable[[nn.Parameter], bool]) -> None:
        """Measure the weights that a step starts from, and copy them, if it is due.

        Args:
            may_change: which parameters the step is going to change.
        """
        self._updating = self._cadence.update_is_due(step)
        self._with_weights = self._cadence.weights_are_due(step)
        if self._with_weights:
            self._recorder.measure_weights()
        if self._updating:
            self._recorder.begin_update(may_change)

    def _raise_failure(self) -> None:
        """Raise what a hook ran into, if one did."""
        if self._recorder.state.failure is not None:
            raise self._recorder.state.failure

    def _record(self, step: int, *, left_out: bool = False, incomplete: bool = False) -> None:
        """Observe a step, and pass it on.

        Args:
            left_out: whether a gradient scaler has left it out.
            incomplete: whether training has ended in the middle of it; it is then passed on if
                anything was measured.
        """
        recorder, ranks, stopwatch = self._recorder, self._ranks, self._stopwatch
        self._hooks.put_back()  # a look may replace them
        if ranks.number > 1:
            stopwatch.interval, self.must_stop = self._merge()
        scalars_are_due = self._cadence.scalars_are_due(step)  # in others nobody would see it
        monitor_ms, step_ms = stopwatch.news() if scalars_are_due else (math.nan, math.nan)
        observation = recorder.observe(
            step,
            self._with_weights,
            ranks=ranks.number,
            has_loss=self._has_loss,
            left_out=left_out,
            incomplete=incomplete,
            look=self._take_look() if self._surroundings.is_looking else None,
            monitor_ms=monitor_ms,
            step_ms=step_ms,
            **self._about,
        )
        self._has_loss = False
        self._hooks.tell_unmeasured(step)
        if stopwatch.interval != self._cadence.interval:
            self._cadence.keep_to(stopwatch.interval, step)
        if self._output is None or (incomplete and observation.is_empty):
            return
        self._output.pipeline.take(observation)
        if ranks.number == 1:
            self.must_stop = self.verdict.stop is not None

    # A plain step of one process computes nothing by numpy, and is spared its state: 8 us.

    @IN_OUR_OWN_WAY
    def _merge(self) -> tuple[int, bool]:
        return self._ranks.merge(
            self._recorder,
            self._hooks.function_layers,
            self._stopwatch.interval,
            self.verdict.stop is not None,
            self._with_weights,
        )

    @IN_OUR_OWN_WAY
    def _take_look(self) -> Look:
        return self._surroundings.take(self._recorder.plan.parameters)

    def _unfinished_step(self) -> int | None:
        """The step that is being measured, if one is."""
        return self.step if self._recorder.state.counting else None

    def _found_at_the_end(self) -> list[Finding | None]:
        hooks = self._hooks
        of_dropout = hooks.dropout_in_evaluation(self.step)
        return [of_dropout, hooks.stand_in(), hooks.newcomer_of_no_optimizer(self.step)]

    @IN_OUR_OWN_WAY
    def close(self, interrupted: bool = False) -> None:
        """Take the hooks off, write the diagnosis and close the files; a second call does nothing.

        Args:
            interrupted: whether an exception has ended the training: the step in whose middle it
                came is recorded as far as it went, and judged. Not where processes train together:
                the others are not there to merge it.
        """
        if interrupted and self._output is not None and self._ranks.number == 1:
            step = self._unfinished_step()
            if step is not None and self._recorder.state.failure is None:
                self._record(step, incomplete=True)
        if self._output is not None:
            for found in self._found_at_the_end():
                if found is not None and found.rule not in self._settings.switched_off:
                    self.verdict.judge.add(found)
        super().close(interrupted)
