"""Four processes that have parts of a network, on the CPU: one record, as of one process."""

import pytest

from tests.any_model import shard_rank
from tests.any_model.one_process import (
    assert_record_is_that_of_one_process,
    assert_weights_are_those_without_the_watcher,
)
from tests.any_model.processes import left_by, run_processes

pytestmark = [pytest.mark.slow, pytest.mark.rare]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all processes have run all cases; a hang of theirs ends after a while."""
    folder = tmp_path_factory.mktemp("four")
    run_processes("tests.any_model.shard_rank", folder, 4, timeout=90)
    return folder


@pytest.mark.parametrize("name", shard_rank.CASES[4])
def test_parts_are_measured_as_the_whole(folder, name, tmp_path, monkeypatch):
    left = left_by(folder, name, 4)
    assert [failure for _, failure in left] == [None] * 4
    assert_weights_are_those_without_the_watcher(left)
    assert_record_is_that_of_one_process(
        folder / name, shard_rank.CASES[4][name], tmp_path, monkeypatch
    )
