import math

import pytest

from layerscope.session import stopwatch
from layerscope.session.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(stopwatch, "time", made)
    return made


def run(watch, clock, steps, step=0.010, hooks=0.002, own=0.001, measured=lambda i: True):
    """Steps that take `step` without the monitor, which takes hooks + own of a measured one."""
    told = []
    for i in range(steps):
        timed = watch.begin(measured(i))
        told.append(watch.news())
        clock.now += step
        if measured(i):
            clock.now += hooks + own
            watch.add(own)
            if timed:
                watch.add_hooks(hooks)
    return [news for news in told if not math.isnan(news[0])]


def test_it_tells_what_measuring_takes_of_a_step_and_the_step_as_a_whole(clock):
    told = run(Stopwatch(None), clock, 40)
    assert len(told) >= 5
    for cost, whole in told:
        assert (cost, whole) == (pytest.approx(3.0), pytest.approx(13.0))


def test_each_timing_is_told_once(clock):
    watch = Stopwatch(None)
    run(watch, clock, 40)
    watch.news()
    assert all(math.isnan(number) for number in watch.news())


def test_without_a_budget_every_step_is_measured(clock):
    watch = Stopwatch(None)
    run(watch, clock, 40, hooks=1.0)
    assert watch.interval == 1


@pytest.mark.parametrize(("budget", "interval"), [(0.3, 1), (0.2, 2), (0.05, 6), (0.01, 30)])
def test_the_interval_keeps_the_share_of_all_time_below_the_budget(clock, budget, interval):
    watch = Stopwatch(budget)
    run(watch, clock, 40)
    assert watch.interval == interval
    assert 0.003 / (interval * 0.010 + 0.003) <= budget


def test_the_first_steps_which_compile_do_not_count(clock):
    watch = Stopwatch(0.3)
    run(watch, clock, 2, hooks=5.0, own=5.0)
    told = run(watch, clock, 40)
    assert watch.interval == 1
    assert told[-1] == (pytest.approx(3.0), pytest.approx(13.0))
