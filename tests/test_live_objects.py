"""Objects are found by their class, and no other thread comes to harm by the search."""

import gc
import threading
from time import monotonic

from torch import nn
from torch.optim import SGD, Optimizer

from layerscope.live_objects import live_objects


class Own(nn.Linear):
    pass


def test_objects_of_a_class_and_of_those_below_it_are_found():
    own, plain = Own(2, 2), nn.Linear(2, 2)
    optimizer = SGD(own.parameters(), 0.1)
    modules, optimizers, none = live_objects(nn.Linear, Optimizer, type(None))
    assert any(each is own for each in modules)
    assert any(each is plain for each in modules)
    assert any(each is optimizer for each in optimizers)
    assert all(isinstance(each, nn.Linear) for each in modules)
    assert none == []
    assert live_objects() == []


def test_a_tuple_that_another_thread_makes_meanwhile_is_made():
    """Python raises a SystemError where it fills one that somebody else holds."""
    over, seen = threading.Event(), []

    def look_around(phase, about):  # in Python, as Hypothesis's: threads may change within
        seen.append(sum(range(2000)))

    def search():
        until = monotonic() + 3
        for _ in range(5):
            live_objects(nn.Linear)
            if monotonic() > until:
                break
        over.set()

    thread = threading.Thread(target=search)
    gc.callbacks.append(look_around)
    thread.start()
    try:
        while not over.is_set():
            assert len(tuple(sum(range(2000)) for _ in range(3))) == 3
    finally:
        thread.join(60)
        gc.callbacks.remove(look_around)
    assert gc.isenabled()
