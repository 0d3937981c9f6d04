"""The calls that go on, and which of them are the training loop's own."""

from torch import nn

from layerscope.record.ends.network_ends import RunningCalls


def hooked():
    module = nn.Identity()
    return module, module.register_forward_hook(lambda *_: None)


def test_a_call_with_none_around_it_is_the_loops_own():
    calls, (outer, _), (inner, _) = RunningCalls(), hooked(), hooked()
    assert (calls.begin(outer), calls.begin(inner)) == (True, False)
    assert (calls.end(), calls.begin(inner), calls.end(), calls.end()) == (
        False,
        False,
        False,
        True,
    )
    assert calls.begin(inner)


def test_calls_that_an_exception_has_ended_are_forgotten():
    calls, (outer, _), (inner, _) = RunningCalls(), hooked(), hooked()
    calls.begin(outer)
    calls.clear()
    assert calls.begin(inner)


def test_a_module_whose_hooks_were_taken_off_never_returns():
    calls, (outer, _), (inner, hook) = RunningCalls(), hooked(), hooked()
    calls.begin(outer)
    calls.begin(inner)
    hook.remove()
    assert calls.end()
    calls.begin(inner)
    assert calls.begin(outer)
