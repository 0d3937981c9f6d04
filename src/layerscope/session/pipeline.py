"""An observation's way: it waits, becomes figures, is judged, and is written."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES
from layerscope.diagnose.measured.figures import Figures
from layerscope.events import flush_clock
from layerscope.figures.layer_facts import layer_facts, place_facts
from layerscope.figures.look_figures import LookFigures
from layerscope.figures.step_figures import StepFigures
from layerscope.record import Observation, Recorder, is_keyframe
from layerscope.record.plan import Plan
from layerscope.record.surroundings import Surroundings
from layerscope.session.block_sizes import NO_WAIT, BlockSizes
from layerscope.session.cadence import Cadence
from layerscope.session.door import Door
from layerscope.session.not_watched import tell_unfired
from layerscope.session.run_verdict import RunVerdict
from layerscope.session.settings import NEVER, Settings
from layerscope.sinks.step_block import BlockSink, Step, StepBlock


class Pipeline:
    """Takes observations, step after step, and sees that they are judged and written.

    Observations wait until some hundred steps or some seconds have come together: what is encoded
    side by side finds code and tables in the processor's cache. A look of the judge takes
    milliseconds, for one step as for a thousand, so figures wait for it longer still, but no more
    seconds. A step does not wait where a finding may stop the training, or where a sink wants it at
    once.

    Args:
        cadence: says which steps have scalars.
        clock: seconds since 1970, the wall time of the steps; for tests.

    Attributes:
        first, last: the first and the last step that came; None before.
        last_look: the last that saw an attention or another place that is no layer; None before.
    """

    def __init__(
        self,
        recorder: Recorder,
        surroundings: Surroundings,
        cadence: Cadence,
        verdict: RunVerdict,
        sinks: Sequence[BlockSink],
        settings: Settings,
        door: Door,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._recorder = recorder
        self._surroundings = surroundings
        self.look_figures = LookFigures()
        self._cadence = cadence
        self._verdict = verdict
        self._sinks = sinks
        self._flush_seconds = settings.flush_seconds
        self._door = door
        self._may_wait = settings.stop_on == NEVER
        self._clock = clock
        self._waiting: list[Step] = []
        self._unjudged: list[Figures] = []  # of steps that are written
        self._since = 0.0  # wall time of the first that waits for either
        self._measured: tuple[Plan, int, int] | None = None
        self._places = surroundings.number_of_places
        self._written = self._judged = 0  # steps so far
        self.first: Step | None = None
        self.last: Step | None = None
        self.last_look: Observation | None = None
        self._lock = threading.RLock()
        self._failed: Exception | None = None  # when the clock flushed
        if self._flush_seconds:
            flush_clock.keep_on_time(self, self._flush_seconds)

    def take(self, observation: Observation) -> None:
        """Take one step; it is on the disk within `flush_seconds`, whether another one comes or
        not. Raises what the clock's thread ran into since the last call.
        """
        with self._lock:
            if self._failed is not None:
                self._raise_failure()
            self._take(observation)

    def _take(self, observation: Observation) -> None:
        around = self._surroundings
        recorder = self._recorder
        if observation.look is not None:  # a place is met in such a step alone
            self._places = around.number_of_places
        measured = recorder.plan, recorder.state.reached, self._places
        if measured != self._measured:
            self._meet(measured)
        number = observation.step
        step = Step(
            observation, self._clock(), self._cadence.scalars_are_due(number), is_keyframe(number)
        )
        if not self._waiting and not self._unjudged:
            self._since = step.wall_time
        self._waiting.append(step)
        if step.wall_time - self._since >= self._flush_seconds:
            self.flush()
        else:
            self._drain_what_is_due(number)
        self.first, self.last = self.first or step, step
        if observation.look is not None and observation.look.inside:
            self.last_look = observation

    def _drain_what_is_due(self, number: int) -> None:
        for sink in self._sinks:
            if sink.awaits(number):
                self.drain()
                return
        if len(self._waiting) >= self._block:
            ready = len(self._waiting) - self._sizes.left_alone
            unjudged = self._written + ready - self._judged
            self._drain(ready, judges=unjudged >= self._sizes.to_judge(self._judged))

    def _begin_block(self) -> None:
        """Find out, once for all the steps of a block, how many wait until it is written."""
        self._block = self._sizes.left_alone + self._sizes.to_write(self._written)

    def _meet(self, measured: tuple[Plan, int, int]) -> None:
        """From now on this is measured; what waits is of what was measured before."""
        self.drain()
        self._measured, plan = measured, measured[0]
        self._channels = plan.channels
        around = self._surroundings
        self._figures = StepFigures(
            layer_facts(
                self._recorder.hooked.layers,
                plan.outputs,
                plan.parameters,
                around.wiring,
                around.configured,
                around.modes.dropout_at,
                around.modes.frozen_in_name,
            )
            + place_facts(around.places, around.configured),
            plan.channels,
            [output.name for output in plan.outputs],
            [each.channel for each in plan.parameters],
        )
        of_layers = {each.name: each.parameters for each in self._recorder.hooked.layers}
        self.look_figures.meet(self._figures.layers, plan.parameters, of_layers)
        self._sizes = NO_WAIT
        if self._may_wait:
            rows, figures = len(plan.channels), len(self._figures.layers) * len(LAYER_FIGURES)
            self._sizes = BlockSizes.of(rows, figures, arrive_later=plan.arrives_later)
        self._begin_block()

    def flush(self) -> None:
        """Judge and write what waits, so that others can read it."""
        with self._lock:
            self.drain()
            for sink in self._sinks:
                sink.flush()

    def flush_on_time(self) -> None:
        """The same, for `flush_clock`: what goes wrong is raised by the next call."""
        with self._lock:
            try:
                if self._waiting or self._unjudged:
                    self.flush()
            except Exception as error:
                self._failed = error

    def _raise_failure(self) -> None:
        error, self._failed = self._failed, None
        if error is not None:
            raise error

    def end(self) -> None:
        """Judge and write what waits; from now on the clock leaves it alone."""
        flush_clock.forget(self)
        self.drain()

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Within, all steps so far are judged and on the disk, and no other thread changes that."""
        with self._lock:
            self.flush()
            yield

    def drain(self) -> None:
        """Judge and write what waits."""
        with self._lock:
            self._raise_failure()
            self._drain(len(self._waiting))

    @np.errstate(all="ignore")  # as in a session: this may run in the clock's thread
    def _drain(self, number: int, judges: bool = True) -> None:
        """Write so many of the steps that wait, from the first on."""
        steps, self._waiting = self._waiting[:number], self._waiting[number:]
        is_first = self._written == 0
        if steps:
            if is_first:
                tell_unfired(self._recorder, steps[0].observation, self._door)
            self._unjudged.append(self._figures_of(steps))
            self._written += len(steps)
            self._begin_block()
        if not self._unjudged:
            return
        written = self._unjudged[-1] if steps else self._unjudged[-1].of_rows(slice(0, 0))
        findings = self._judge() if judges else []
        prediction = self._verdict.prediction if is_first and written.steps[0] == 0 else None
        block = StepBlock(self._channels, steps, written, findings, prediction)
        for sink in self._sinks:
            sink.write(block)
        if self._waiting and not self._unjudged:
            self._since = self._waiting[0].wall_time

    def _judge(self) -> list[Finding]:
        unjudged, self._unjudged = self._unjudged, []
        self._judged = self._written
        return self._verdict.look(Figures.joined(unjudged))

    def _figures_of(self, steps: Sequence[Step]) -> Figures:
        figures = self._figures.of([step.observation for step in steps])
        for row, step in enumerate(steps):
            if step.observation.look is not None:
                self.look_figures.fill(
                    step.observation,
                    step.observation.look,
                    *(figures.of_layers[row], figures.of_steps[row]),
                )
        return figures
