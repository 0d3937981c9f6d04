"""The steps of a loop that is not Lightning's: which call ends one, and what is told of it."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.amp import GradScaler
from torch.utils.hooks import RemovableHandle

from layerscope.integrations.backward_start import BackwardStart
from layerscope.record.hooks.handles import remove_all
from layerscope.session.door import Door
from layerscope.session.finished_steps import FinishedSteps
from layerscope.session.optimizers_of_a_loop import OptimizersOfALoop
from layerscope.session.told_loss import LossScale, ToldLoss


class LoopSteps:
    """Counts the steps, and knows the step's losses, its gradient scaler and its optimizers.

    Args:
        scaler: the loop's gradient scaler; None where none is told, then it may be found.

    A loop that tells no loss in its first step is not asked for one: it is that which backward
    starts from.

    Attributes:
        unanswered: calls of `end` before any optimizer took a step; below 0 once one has.
    """

    def __init__(self, start: int, scaler: GradScaler | None, door: Door) -> None:
        self.at = start
        self.unanswered = 0
        self._scale = LossScale(scaler)
        self._loss = ToldLoss(door)
        self._optimizers: OptimizersOfALoop | None = None
        self._backward: BackwardStart | None = None  # until a loss is told
        self._handles: list[RemovableHandle] = []
        self._sees_backward = False

    def attach(
        self, model: nn.Module, guarded: Callable[[Callable[[FinishedSteps], None]], None]
    ) -> None:
        """Follow the optimizers of a loop, whose hooks are guarded so."""
        self._optimizers = OptimizersOfALoop(model, guarded, self._scale.find)

        def see(loss: Tensor) -> None:
            if self._sees_backward:
                guarded(lambda session: session.see_loss(loss))

        self._backward = BackwardStart(model, see)
        self._handles = self._backward.see_parameters()

    def detach(self, *, failed: bool) -> None:
        """Follow them no more."""
        if self._optimizers is not None:
            self._optimizers.remove(failed=failed)
            self._optimizers = None  # it holds who asked for it, who holds the network
        self._leave_backward()

    def _leave_backward(self) -> None:
        remove_all(self._handles)
        if self._backward is not None:
            self._backward.end()
            self._backward = None

    def note_loss(self, loss: object) -> None:
        """A loss of the step that goes on: a number, a tensor, or None for none."""
        if loss is not None and self._backward is not None:
            self._leave_backward()
        self._loss.note(loss)

    def note_scaled_loss(self, loss: Tensor | None) -> None:
        """The loss that backward started from, with the gradient scaler's factor in it."""
        self.note_loss(None if loss is None else self._scale.out_of(loss))

    def begin(self, session: FinishedSteps) -> None:
        """The step begins."""
        session.begin(self.at)
        self._scale.begin()
        assert self._optimizers is not None
        self._optimizers.begin(session, self.at)

    def end(self, session: FinishedSteps, loss: Tensor | float | None) -> bool:
        """Whether a call ends the step: after a micro-batch no optimizer has taken one.

        Args:
            loss: that the call was given, whose graph is looked at.
        """
        optimizers = self._optimizers
        assert optimizers is not None
        left_out = not optimizers.any_came and self._scale.has_backed_off
        if not (optimizers.any_came or left_out) and optimizers.is_awaited:
            if self.unanswered == 0:
                self._loss.tell_of_a_later_backward(loss)
            self.unanswered += self.unanswered >= 0
            return False
        self.unanswered = -1
        if self._backward is not None:
            loss = self._from_backward(self._backward)
        session.see_loss(loss)
        if len(self._loss.noted) > 1:
            session.see_losses_of_passes(self._loss.noted)
        if (mean := self._loss.take()) is not None:
            session.note_loss(self._scale.of(mean))
        optimizers.end(session)
        session.finish(self.at, optimizers.had_gradient, self._scale.factor, left_out)
        self.at += 1
        return True

    def _from_backward(self, backward: BackwardStart) -> Tensor | None:
        """Note the loss that backward started from; give it, with its graph, where that was not
        seen in the pass.
        """
        latest = None if self._sees_backward else backward.latest
        if (taken := backward.take()) is not None:
            self._loss.note(self._scale.out_of(taken))
        self._sees_backward = True
        return latest
