"""Watches whatever networks a script trains, by the hooks that torch has for every module."""

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakSet

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.hooks import RemovableHandle

from layerscope.console.summary import from_here
from layerscope.integrations.script.around_call import AroundCall, look_around, with_parameters_of
from layerscope.integrations.script.called_modules import (
    KnownModules,
    outermost_call,
    run_new_hooks,
)
from layerscope.integrations.script.networks_of_a_script import left_behind, network_folder
from layerscope.integrations.script.watched_network import WatchedNetwork
from layerscope.live_objects import live_objects
from layerscope.record.distributed.shards import class_of
from layerscope.record.hooks.compile_start import CompileStart
from layerscope.record.hooks.handles import remove_all, silence
from layerscope.record.network.parts import parameters_of
from layerscope.record.parameters.ownership import given_to
from layerscope.session.own_failure import told_failure
from layerscope.session.settings import Settings

_log = logging.getLogger("layerscope")

MOST = 8  # networks: a loop may make a copy in each of its steps; to find one takes half a second


class ScriptWatch:
    """Finds the networks that are trained while it is open, and watches each as `watch` would.

    A network is found when one of its modules is called with gradients on, by no other module, and
    an optimizer of torch's has its parameters; its first step is then seen whole. Where its calls
    are compiled, it is found when torch.compile is about to read its code. A step ends when all of
    its optimizers have taken theirs. Torch tells of every call of a module, which costs a
    microsecond, until each optimizer has networks with all of its parameters, or has one and has
    taken a step; and again once an unknown optimizer takes one, whose network is found at its next.

    Args:
        folder: of the only network, or with a folder for each below it.
        named: whether the user has named it; otherwise the next free name is taken.

    Attributes:
        networks: what is watched so far.
        found: how many networks were; of one that is not watched it was told why.
        left_behind: the class of a network that is called to train, where an optimizer that steps
            has none of its parameters, but others of the same shapes; "" without any.
    """

    def __init__(self, folder: Path, settings: Settings, *, named: bool) -> None:
        self._folder = folder
        self._settings = settings
        self._named = named
        self.found = 0
        self.left_behind = ""
        self.networks: list[WatchedNetwork] = []
        self._known = KnownModules()
        self._optimizers: WeakSet[Optimizer] = WeakSet()  # of the script, so far
        self._others: WeakSet[Optimizer] = WeakSet()  # of the process, before the script began
        self._stepping: Optimizer | None = None  # it may have a closure
        self._call: RemovableHandle | None = None
        self._steps: list[RemovableHandle] = []
        self._lock = threading.RLock()
        self._compile_start = CompileStart(self._before_compile)

    def start(self) -> None:
        """Look out; call it before the script begins."""
        # Torch's advice to the user, who has none.
        warnings.filterwarnings("ignore", r"Using `torch\.compile\(module\)` when there are global")
        self._others = WeakSet(live_objects(Optimizer)[0])
        self._look_out()
        self._listen()
        self._compile_start.attach()

    def close(self, interrupted: bool = False) -> None:
        """End the record of each network, and look out no more.

        Args:
            interrupted: whether an exception has ended the script.
        """
        self._stop()
        remove_all(self._steps)
        for each in self.networks:
            each.close(interrupted)

    def _stop(self) -> None:
        self._look_away()
        silence(self._steps)  # torch may be going through them
        self._compile_start.detach()

    def _look_out(self) -> None:
        if self._call is None and len(self.networks) < MOST:
            self._call = register_module_forward_pre_hook(self._before_call)

    def _look_away(self) -> None:
        if self._call is not None:
            self._call.remove()
            self._call = None

    def _listen(self) -> None:
        """Hear of steps after each network has: torch runs hooks in the order they came in."""
        remove_all(self._steps)
        self._steps += [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _guarded(self, work: Callable[[], None]) -> None:
        """What fails here ends the search, and never the script."""
        try:
            with self._lock:  # threads may train networks beside each other
                work()
        except Exception as error:
            why, trace = told_failure(error, None)
            _log.error("layerscope run: it looks for no more networks: %s", why, exc_info=trace)
            self._stop()

    def _before_call(self, module: nn.Module, inputs: Any) -> None:
        is_training = torch.is_grad_enabled() and not torch.compiler.is_compiling()
        if is_training and self._known.are_asked(module):
            self._guarded(lambda: self._find(module, inputs))

    def _before_compile(self) -> None:
        if self._call is None or not torch.is_grad_enabled():
            return
        called = outermost_call(sys._getframe())
        if called is None:
            self._guarded(self._find_all)
        elif called not in self._known:
            self._guarded(lambda: self._find(called))

    def _find_all(self) -> None:
        """A function is compiled, in whose code networks may be called."""
        optimizers, modules = live_objects(Optimizer, nn.Module)
        for optimizer in optimizers:
            if optimizer in self._others or self._has_network(optimizer):
                continue
            for each in with_parameters_of(optimizer, modules):
                if each not in self._known:
                    self._find(each)
                    break

    def _find(self, module: nn.Module, inputs: Any = None) -> None:
        """Watch the network that a module which is called is a part of, if there is one.

        Args:
            inputs: of the call; None where it is compiled.
        """
        own = parameters_of(module)
        if not any(each.requires_grad for each in own.values()):
            if not any(given_to(each).keys() & own.keys() for each in self._optimizers):
                self._known.add(module)  # not frozen for a while, as a CycleGAN's
            return
        self._known.add(module)
        around = look_around(module, self._others)
        network = around.network
        if network is None:
            self._known.wait_for(module)
            return
        self._known.wait_no_more(module)
        self._known.add(network)
        if any(each.network is network for each in self.networks):
            return  # a module that came into it later
        hooks = set(module._forward_pre_hooks)
        takes_hooks = not isinstance(module, torch.jit.ScriptModule)
        if inputs is None or module._compiled_call_impl is not None or not takes_hooks:
            self._watch(network, None, around)
        else:
            self._watch(network, module, around)
            run_new_hooks(module, hooks, inputs)
        self._optimizers.update(around.optimizers)
        watched = {number for each in self.networks for number in parameters_of(each.network)}
        if all(given_to(each).keys() <= watched for each in around.optimizers):
            self._look_away()

    def _watch(self, network: nn.Module, called: nn.Module | None, around: AroundCall) -> None:
        mine, name, folder = around.own_optimizers, class_of(network).__name__, self._folder
        self.found += 1
        if len(mine) < len(around.optimizers) or self.networks:
            folder = network_folder(folder, network, (each.network for each in self.networks))
        try:
            found = WatchedNetwork(
                network, called, mine, folder, self._settings, around.scaler, named=self._named
            )
        except ValueError as error:
            print(f"layerscope run: {name} is not watched: {error}", file=sys.stderr)
            return
        place = from_here(found.folder)
        print(f"layerscope run: {name} is watched; the files land in {place}", file=sys.stderr)
        if self._stepping is not None and found.is_trained_by(self._stepping):
            found.before_step(self._stepping)
        self.networks.append(found)
        self._listen()
        if len(self.networks) == MOST:
            print(f"layerscope run: {MOST} networks are watched, and no more", file=sys.stderr)
            self._look_away()

    def _has_network(self, optimizer: Optimizer) -> bool:
        return any(each.is_trained_by(optimizer) for each in self.networks)

    def _meet(self, optimizer: Optimizer) -> None:
        """An optimizer that was made later takes a step: torch has no hook for one that is made."""
        self._compile_start.attach()  # torch._dynamo.reset has it forgotten
        self._optimizers.add(optimizer)
        given = given_to(optimizer).keys()
        self._known.forget_those_with(given)
        if not any(given <= parameters_of(each.network).keys() for each in self.networks):
            self._look_out()
            self.left_behind = left_behind(self._known.waiting, optimizer) or self.left_behind

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer not in self._optimizers and optimizer not in self._others:
            self._guarded(lambda: self._meet(optimizer))
        self._stepping = optimizer
        for each in self.networks:
            if each.is_trained_by(optimizer):
                each.before_step(optimizer)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._stepping = None
        for each in self.networks:
            if each.is_trained_by(optimizer):
                each.after_step(optimizer)
        # What else they have was not called on the way to a step.
        if self._call is not None and all(map(self._has_network, self._optimizers)):
            self._look_away()
