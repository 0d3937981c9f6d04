import copy
import io
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event

from layerscope.events import event_file, flush_clock
from layerscope.events.event_file import EventFile
from layerscope.events.reader import read_run
from layerscope.events.summaries import scalar


def events_in(path: Path) -> list[Event]:
    """TensorBoard's own record reader is the judge of what is in a file, its start apart."""
    events = [Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]
    return [event for event in events if not event.HasField("session_log")]


def steps_in(path: Path) -> list[int]:
    return [event.step for event in events_in(path)[1:]]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_event_has_its_step_its_time_and_all_its_values_in_one_record(tmp_path: Path) -> None:
    with EventFile(tmp_path / "new" / "run") as file:
        file.add(2**40, [scalar("a", 1.0), scalar("b", 2.0)], wall_time=12.5)
    version, event = events_in(file.path)
    assert version.file_version == "brain.Event:2"
    assert (event.step, event.wall_time) == (2**40, 12.5)
    assert [(v.tag, v.simple_value) for v in event.summary.value] == [("a", 1.0), ("b", 2.0)]
    assert file.path.name.startswith("events.out.tfevents.")


@pytest.mark.parametrize("step", [0, 127, 128, 2**31, 2**63 - 1])
def test_any_int64_step_is_kept(tmp_path: Path, step: int) -> None:
    with EventFile(tmp_path) as file:
        file.add(step, [scalar("a", 1.0)])
    assert steps_in(file.path) == [step]


@pytest.mark.parametrize("step", [-1, 2**63])
def test_other_steps_are_refused(tmp_path: Path, step: int) -> None:
    with EventFile(tmp_path) as file, pytest.raises(ValueError, match=r"step must be .*got -?\d"):
        file.add(step, [scalar("a", 1.0)])


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_negative_flush_time_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"flush_seconds must be at least 0, got {seconds}"):
        EventFile(tmp_path, flush_seconds=seconds)


def test_a_run_goes_on_behind_what_it_wrote_before_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for now, at, value in ((2e9, 0, 1.0), (1e9, 3, 2.0)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        with EventFile(tmp_path) as file:
            if at:
                file.restart(at)
            for step in range(at, 5):
                file.add(step, [scalar("a", value)])
    assert read_run(tmp_path).scalars["a"].values.tolist() == [1, 1, 1, 2, 2]


def test_where_no_thread_can_be_started_steps_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    # The clock of tests before this one may have its thread still.
    monkeypatch.setattr(flush_clock, "_clock", type(flush_clock._clock)())
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with EventFile(tmp_path) as file:
        file.add(0, [scalar("a", 1.0)])
    assert steps_in(file.path) == [0]
    assert "only with the next step: can't start new thread" in caplog.text


def test_nothing_logged_leaves_no_file(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.add(0, [])
        file.flush()
    assert list(tmp_path.iterdir()) == []


def wait_until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_events_wait_until_their_time_is_up(tmp_path: Path) -> None:
    clock = Clock()
    with EventFile(tmp_path, flush_seconds=10_000, clock=clock) as file:
        for step, clock.now, steps_seen in [
            (0, 0, []), (1, 9_999, []), (2, 10_000, [0, 1, 2]), (3, 19_999, [0, 1, 2]),
        ]:  # fmt: skip
            file.add(step, [scalar("a", 1.0)])
            assert steps_in(file.path) == steps_seen
    assert steps_in(file.path) == [0, 1, 2, 3]


def test_a_step_that_runs_again_is_there_once_in_tensorboards_slow_loader(tmp_path: Path) -> None:
    for first in (0, 3):
        with EventFile(tmp_path) as file:
            if first:
                file.restart(first)
            for step in range(first, first + 6):
                file.add(step, [scalar("a", first)])
    loaded = EventAccumulator(str(tmp_path))
    loaded.Reload()
    values = [(each.step, each.tensor_proto.float_val[0]) for each in loaded.Tensors("a")]
    assert values == [(0, 0), (1, 0), (2, 0), (3, 3), (4, 3), (5, 3), (6, 3), (7, 3), (8, 3)]


def test_what_waits_reaches_the_disk_though_nothing_follows(tmp_path: Path) -> None:
    with EventFile(tmp_path, flush_seconds=0.2) as file:
        for step in (0, 1):
            file.add(step, [scalar("a", 1.0)])
            wait_until(lambda step=step: steps_in(file.path) == list(range(step + 1)))


def test_the_first_record_after_a_flush_reaches_the_disk_at_once(tmp_path: Path) -> None:
    with EventFile(tmp_path, flush_seconds=100) as file:
        file.add(0, [scalar("a", 1.0)])
        file.flush()  # for a checkpoint of step 0, whose loss comes now
        file.add(0, [scalar("loss", 1.0)])
        file.add(1, [scalar("a", 1.0)])
        assert steps_in(file.path) == [0, 0]


def test_what_the_clock_could_not_write_is_raised_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EventFile(tmp_path, flush_seconds=1e9)
    file.add(0, [scalar("a", 1.0)])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(file, "_flush", full)
        file.flush_on_time()
    with pytest.raises(OSError, match="No space left"):
        file.add(1, [scalar("a", 1.0)])
    file.close()
    assert steps_in(file.path) == [0]


def test_a_file_that_nobody_holds_is_not_kept_by_the_clock(tmp_path: Path) -> None:
    class Waiting:
        def flush_on_time(self) -> None:
            pass

    waiting = Waiting()
    flush_clock.keep_on_time(waiting, 0.1)
    gone = weakref.ref(waiting)
    del waiting
    wait_until(lambda: gone() is None)


def test_the_clock_goes_on_where_the_last_that_waits_goes_between_two_of_its_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it keeps is held weakly, and whoever collects garbage asks nobody."""

    class Waiting:
        def flush_on_time(self) -> None:
            pass

    class AboutToGo(weakref.WeakKeyDictionary[Any, float]):
        def __len__(self) -> int:
            kept = super().__len__()
            waiting.clear()
            return kept

    clock, waiting = type(flush_clock._clock)(), [Waiting()]
    kept = clock._kept = AboutToGo()
    monkeypatch.setattr(clock, "_start", lambda: None)
    clock.keep(waiting[0], 0.1)
    monkeypatch.setattr(flush_clock, "_LONGEST", 0.0)
    clock._watch()  # ends, since it keeps nothing any more
    assert not list(kept)


def test_a_run_can_be_found_as_soon_as_it_has_an_event(tmp_path: Path) -> None:
    with EventFile(tmp_path, flush_seconds=1e9) as file:
        file.add(0, [scalar("a", 1.0)])
        assert [event.file_version for event in events_in(file.path)] == ["brain.Event:2"]


def test_many_bytes_do_not_wait(tmp_path: Path) -> None:
    with EventFile(tmp_path, flush_seconds=1e9) as file:
        for step in range(5):
            file.add(step, [scalar("t" * 100_000, 1.0)])
        assert steps_in(file.path) == [0, 1, 2]


def test_an_exception_closes_the_file_with_all_events(tmp_path: Path) -> None:
    file = EventFile(tmp_path)

    def interrupted_after_an_event() -> None:
        with file:
            file.add(3, [scalar("a", 1.0)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_after_an_event()
    assert file.closed
    assert steps_in(file.path) == [3]


def test_a_closed_file_can_be_closed_again_but_takes_no_event(tmp_path: Path) -> None:
    file = EventFile(tmp_path)
    file.add(0, [scalar("a", 1.0)])
    file.close()
    file.close()
    with pytest.raises(ValueError, match=f"event file {file.path} is closed"):
        file.add(1, [scalar("a", 1.0)])
    assert steps_in(file.path) == [0]


def test_files_opened_within_a_second_sort_as_they_were_opened(tmp_path: Path) -> None:
    paths = [EventFile(tmp_path).path for _ in range(12)]
    assert paths == sorted(paths)


@pytest.mark.parametrize("copies", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_open_file_is_not_copied(tmp_path: Path, copies) -> None:
    with EventFile(tmp_path) as file, pytest.raises(TypeError, match="cannot be copied or pickled"):
        copies(file)


FORK_THEN_EXIT_WITHOUT_CLOSING = """
import os, sys
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import scalar
file = EventFile(sys.argv[1])
file.add(0, [scalar("a", 1.0)])
child = os.fork()
if child == 0:
    try:
        file.add(1, [scalar("a", 1.0)])
    except RuntimeError as error:
        print(error, flush=True)
    sys.exit()  # runs the exit handlers, which must not write the parent's events again
os.waitpid(child, 0)
file.add(2, [scalar("a", 1.0)])
"""


def test_a_forked_child_writes_nothing_and_the_exit_closes(tmp_path: Path) -> None:
    script = [sys.executable, "-c", FORK_THEN_EXIT_WITHOUT_CLOSING, str(tmp_path)]
    out = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True)
    assert "belongs to process" in out.stdout
    assert out.stderr == ""
    (path,) = tmp_path.iterdir()
    assert steps_in(path) == [0, 2]


class FullDisk(io.FileIO):
    """Takes half of a write, then has no space, until `full` is False."""

    full = False

    def write(self, data) -> int:
        if not FullDisk.full:
            return super().write(data)
        if len(data) == 1:
            raise OSError(28, "No space left on device")
        return super().write(data[: (len(data) + 1) // 2])


def test_a_full_disk_raises_and_leaves_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_file, "FileIO", FullDisk)
    with EventFile(tmp_path, flush_seconds=0) as file:
        file.add(0, [scalar("a", 1.0)])
        whole = file.path.stat().st_size
        monkeypatch.setattr(FullDisk, "full", True)
        with pytest.raises(OSError, match="No space left"):
            file.add(1, [scalar("a", 1.0)])
        assert file.path.stat().st_size == whole
        monkeypatch.setattr(FullDisk, "full", False)
        file.add(2, [scalar("a", 1.0)])
    assert steps_in(file.path) == [0, 2]
    assert read_run(file.path).torn_bytes == 0


def test_a_reader_that_looks_while_the_file_is_written_sees_whole_events(tmp_path: Path) -> None:
    looks = []

    def write() -> None:
        with EventFile(tmp_path, flush_seconds=0) as file:
            for step in range(3000):
                file.add(step, [scalar("a", step), scalar("b", -step)])

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        if list(tmp_path.iterdir()):
            looks.append(read_run(tmp_path).scalars)
    writer.join(timeout=60)
    looks.append(read_run(tmp_path).scalars)

    lengths = [len(look["a"].steps) for look in looks if "a" in look]
    assert lengths == sorted(lengths)
    assert lengths[-1] == 3000
    for look in looks:
        if "b" in look:
            assert look["b"].values.tolist() == [-step for step in range(len(look["b"].steps))]
