"""Which optimizers come to which parameters in a step of a loop, as torch's own hooks tell."""

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.hooks import RemovableHandle

from layerscope.live_objects import live_objects
from layerscope.record.hooks.handles import remove_all, silence
from layerscope.record.network.optimizer_groups import Groups, groups_of
from layerscope.record.network.parts import parameters_of
from layerscope.record.parameters.ownership import given_to
from layerscope.session.finished_steps import FinishedSteps

Guarded = Callable[[Callable[[FinishedSteps], None]], None]


class OptimizersOfALoop:
    """Measures weights and gradients at the moment when an optimizer takes its step with them.

    Torch tells of every optimizer in the process. In each step `begin` comes first and `end` last.

    Args:
        guarded: runs a function of the session, if there is one still.
        met: is called when an optimizer first begins a step with some of the network's parameters.
    """

    def __init__(self, network: nn.Module, guarded: Guarded, met: Callable[[], None]) -> None:
        self._met: Callable[[], None] | None = met
        self._network = network
        self._own = parameters_of(network)
        self._changes = 0
        self._guarded = guarded
        # By `id`, as all that follows: what other networks' optimizers have, which come and go.
        self._foreign: WeakValueDictionary[int, nn.Parameter] = WeakValueDictionary()
        # What optimizers have of the network, while their groups are as they were.
        self._known: dict[int, tuple[Groups, set[int]]] = {}
        self._without_optimizer = set(self._own)  # so far
        self._step = 0
        self._stepped: set[int] = set()  # in this step
        self._is_awaited: bool | None = None  # None: not asked for yet
        self._by_optimizer = False  # in the step before: then weights are measured when it comes
        self._with_gradient: set[int] = set()  # in this step, if it measures the update
        self._handles: list[RemovableHandle] = [
            register_optimizer_step_pre_hook(self._before),
            register_optimizer_step_post_hook(self._after),
        ]

    @property
    def any_came(self) -> bool:
        """Whether an optimizer has come to a parameter of the network in this step."""
        return bool(self._stepped)

    @property
    def is_awaited(self) -> bool:
        """Whether the network is trained by an optimizer: one has come, or one that is alive has
        some of its parameters. The first question, before any has come, takes what `live_objects`
        does.
        """
        if self._is_awaited is None:
            (living,) = live_objects(Optimizer)
            self._is_awaited = any(given_to(each).keys() & self._own.keys() for each in living)
        return self._is_awaited

    def had_gradient(self, parameter: nn.Parameter) -> bool:
        """Whether it had one in this step, which measures the update."""
        return id(parameter) in self._with_gradient

    def begin(self, session: FinishedSteps, step: int) -> None:
        """A step begins: measure the weights now, unless an optimizer came in the one before."""
        self._step = step
        if session.changes != self._changes:
            self._changes = session.changes
            now = parameters_of(self._network)
            still = self._without_optimizer & now.keys()
            self._without_optimizer = still | (now.keys() - self._own.keys())
            self._own = now
            self._known.clear()
        self._by_optimizer = bool(self._stepped)
        self._stepped, self._with_gradient = set(), set()
        if not self._by_optimizer:
            self._measure_weights(session)

    def end(self, session: FinishedSteps) -> None:
        """Measure the parameters that no optimizer came to: perhaps they are changed by hand."""
        others = self._without_optimizer if self._stepped else set(self._own)
        if self._by_optimizer and not self._stepped:
            self._measure_weights(session)
        if others:
            self._measure(session, others)

    def remove(self, *, failed: bool = False) -> None:
        """Take the hooks off torch's optimizers, or silence them if one of them has failed."""
        if failed:
            silence(self._handles)
        else:
            remove_all(self._handles)

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        def before(session: FinishedSteps) -> None:
            mine = self._new_of(optimizer)
            if mine:
                session.arrive(optimizer)
                if (met := self._met) is not None:
                    self._met = None
                    met()
            if mine and not self._stepped:
                if self._by_optimizer:
                    self._measure_weights(session)
                else:
                    session.copy_weights(_is_trainable)
            if not _gets_closure(args, kwargs):  # a closure makes its gradients yet
                self._take(session, optimizer, mine)

        self._guarded(before)

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if _gets_closure(args, kwargs):
            self._guarded(lambda session: self._take(session, optimizer, self._new_of(optimizer)))
        self._guarded(FinishedSteps.note_step)

    def _new_of(self, optimizer: Optimizer) -> set[int]:
        """What an optimizer has of the network that none has come to in this step."""
        groups, known = groups_of(optimizer), self._known.get(id(optimizer))
        if known is not None and known[0] == groups:
            return known[1] - self._stepped
        mine = self._all_of(optimizer)
        if mine:
            self._known[id(optimizer)] = groups, mine
        return mine - self._stepped

    def _all_of(self, optimizer: Optimizer) -> set[int]:
        given = given_to(optimizer)
        mine = given.keys() & self._own.keys()
        if not mine and any(key not in self._foreign for key in given):  # all may be new
            self._foreign.update(given)
            now = parameters_of(self._network)
            if given.keys() & now.keys():
                self._own |= now
                self._known.clear()
                mine = given.keys() & self._own.keys()
        return mine

    def _take(self, session: FinishedSteps, optimizer: Optimizer, mine: set[int]) -> None:
        if mine:
            session.note_optimizer(optimizer)
            self._measure(session, mine)
            self._stepped |= mine
            self._without_optimizer -= mine
            self._is_awaited = True
        elif not given_to(optimizer).keys() & self._own.keys():
            session.note_other_optimizer(optimizer)  # of another network in the loop, as a GAN's

    def _measure(self, session: FinishedSteps, parameters: set[int]) -> None:
        are_all = len(parameters) == len(self._own)  # the common case asks of none
        session.measure_gradients(None if are_all else lambda each: id(each) in parameters)
        if session.is_updating:
            own = self._own
            self._with_gradient |= {i for i in parameters if own[i].grad is not None}

    def _measure_weights(self, session: FinishedSteps) -> None:
        if session.is_counting:
            session.measure_weights(self._step, _is_trainable)


def _is_trainable(parameter: nn.Parameter) -> bool:
    return parameter.requires_grad


def _gets_closure(arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Whether these arguments of an optimizer's `step`, the first of which is itself, have one."""
    closure = arguments[1] if len(arguments) > 1 else named.get("closure")
    return closure is not None
