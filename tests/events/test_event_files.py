"""What lies beside a run's event files, and is none of them."""

import gzip
import shutil
from pathlib import Path

import pytest

from layerscope.events.event_file import EventFile
from layerscope.events.reader import event_files, read_run
from layerscope.events.summaries import scalar


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """An event file with three steps of a scalar."""
    with EventFile(tmp_path) as file:
        for step in range(3):
            file.add(step, [scalar("loss", float(step))])
    return file.path


def compress(file: Path) -> None:
    file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))


def note(file: Path) -> None:
    file.with_name("about tfevents.txt").write_text("a long story of the files in this folder")


def copy(file: Path) -> None:
    shutil.copy(file, file.with_name(file.name + ".bak"))


def copy_in_part(file: Path) -> None:
    file.with_name(file.name + ".part").write_bytes(file.read_bytes()[:-20])


def copy_before(file: Path) -> None:
    shutil.copy(file, file.with_name("Copy of " + file.name))


def hide(file: Path) -> None:
    file.with_name(f".{file.name}.x8Kd2A").write_bytes(file.read_bytes()[:100])


def folder(file: Path) -> None:
    file.with_name("old tfevents").mkdir()


def link_to_nothing(file: Path) -> None:
    file.with_name("tfevents.link").symlink_to("gone")


def empty(file: Path) -> None:
    file.with_name(file.name + ".new").touch()


@pytest.mark.parametrize(
    "beside",
    [compress, note, copy, copy_in_part, copy_before, hide, folder, link_to_nothing, empty],
)
def test_what_lies_beside_an_event_file_changes_nothing(run: Path, beside) -> None:
    beside(run)
    events = read_run(run.parent)
    assert events.scalars["loss"].steps.tolist() == [0, 1, 2]
    assert events.scalars["loss"].values.tolist() == [0, 1, 2]


def test_what_is_passed_over_is_named(run: Path, caplog) -> None:
    compress(run)
    event_files(run.parent)
    assert caplog.messages == [f"{run}.gz holds no events, and is passed over"]


def test_a_file_of_another_kind_is_refused_by_its_name(run: Path) -> None:
    script = run.with_name("train.py")
    script.write_text("import torch")
    with pytest.raises(FileNotFoundError, match=r"train\.py is not an event file"):
        event_files(script)


def test_files_that_only_start_alike_are_both_read(run: Path) -> None:
    other = run.with_name(run.name + ".2")
    data = run.read_bytes()
    other.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert event_files(run.parent) == [run, other]


@pytest.mark.parametrize("damage", [slice(0, 1), slice(5, 6), slice(9, 10), slice(0, 64)])
def test_an_event_file_whose_start_is_damaged_is_not_passed_over(run: Path, damage) -> None:
    data = bytearray(run.read_bytes())
    data[damage] = bytes(len(data[damage])) if damage.stop == 64 else b"?"
    run.write_bytes(data)
    events = read_run(run.parent)
    assert events.scalars["loss"].steps.tolist()[-1] == 2
    assert events.damaged_bytes > 0
