"""Two processes that train together, on the CPU: one record, of both."""

import numpy as np
import pytest
import torch

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from tests.any_model import ddp_rank, shard_rank
from tests.any_model.nets import seeded
from tests.any_model.one_process import (
    assert_record_is_that_of_one_process,
    assert_weights_are_those_without_the_watcher,
)
from tests.any_model.processes import left_by, run_processes
from tests.any_model.reference import assert_figures_are_those_of, run_plainly
from tests.any_model.training import EVERYTHING, figures, fit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where both processes have run all cases; a hang of theirs ends after a while."""
    folder = tmp_path_factory.mktemp("ddp")
    run_processes("tests.any_model.ddp_rank", folder, 2, timeout=150)
    return folder


@pytest.mark.parametrize("case", ddp_rank.CASES)
def test_both_ranks_train_to_the_weights_that_they_have_without_the_monitor(folder, case):
    for of_rank in left_by(folder, case, 2):
        weights, states, _ = of_rank[True]
        weights_alone, states_alone, _ = of_rank[False]
        assert states == states_alone
        for key, weight in weights.items():
            assert torch.equal(weight, weights_alone[key]), key


@pytest.mark.parametrize("case", ddp_rank.CASES)
def test_two_ranks_write_one_event_file(folder, case):
    where = folder / case / "watched"
    assert len(list(where.glob("events.*"))) == 1
    assert len(list(where.glob("keyframes/events.*"))) == 1


@pytest.mark.parametrize("case", ["exact", "mlp", "sharded"])
def test_merged_figures_are_those_of_one_process_on_the_joined_batch(folder, case):
    kind, last = ddp_rank.CASES[case]
    net = seeded(kind)
    steps = run_plainly(net, ddp_rank.joined(net, last))
    assert_figures_are_those_of(steps, figures(folder / case / "watched"))


def test_merged_histograms_are_those_of_one_process(folder, tmp_path):
    """One process counts exactly; what is merged goes through bins, a 128th of a value wide."""
    kind, last = ddp_rank.CASES["exact"]
    net = seeded(kind)
    fit(net, tmp_path, LayerMonitor(quantities=EVERYTHING), batches=ddp_rank.joined(net, last))
    one, both = read_run(tmp_path).histograms, read_run(folder / "exact" / "watched").histograms
    assert one.keys() == both.keys()
    for tag, series in one.items():
        found, expected = both[tag].buckets[0], series.buckets[0]
        apart = np.cumsum(found[:, 2]) - np.cumsum(expected[:, 2])
        assert apart[-1] == 0, tag
        assert np.abs(apart).max() <= 1 + 0.02 * expected[:, 2].sum(), tag
        np.testing.assert_allclose(found[:, :2], expected[:, :2], rtol=1e-6, err_msg=tag)


def test_uneven_last_batches_are_counted_as_they_are(folder):
    counts = figures(folder / "uneven" / "watched")["activation_count"]
    assert counts[:, 0].tolist() == [16 * 8] * 6 + [(8 + 2) * 8]
    assert counts[:, 2].tolist() == [16 * 3] * 6 + [(8 + 2) * 3]


def test_a_layer_that_one_rank_alone_reaches_hangs_nothing_and_is_measured(folder):
    written = figures(folder / "disagreeing" / "watched")
    assert written.steps.tolist() == list(range(7))
    side = [facts.name for facts in written.layers].index("03_side")
    assert written["activation_count"][:, side].tolist() == [8 * 3] * 7


@pytest.mark.parametrize("case", list(ddp_rank.CASES)[-2:])
def test_a_monitor_that_fails_on_one_rank_hangs_nothing_and_is_told(folder, case):
    failures = [of_rank[True][2] for of_rank in left_by(folder, case, 2)]
    assert "PlantedError: planted" in failures[1]
    logs = [(folder / f"rank_{rank}.log").read_text() for rank in range(2)]
    assert "monitoring stopped at step 5" in "".join(logs)
    steps = figures(folder / case / "watched").steps.tolist()
    assert steps[:5] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "case", [case for case in ddp_rank.CASES if not case.startswith("failing")]
)
def test_without_a_failure_no_rank_tells_of_one(folder, case):
    assert [of_rank[True][2] for of_rank in left_by(folder, case, 2)] == [None, None]


@pytest.mark.parametrize("case", shard_rank.CASES[2])
def test_parts_are_trained_to_the_weights_that_they_have_without_the_watcher(folder, case):
    assert_weights_are_those_without_the_watcher(left_by(folder, case, 2))


@pytest.mark.parametrize("name", ["fsdp", "fsdp_two_optimizers", "tensor", "sequence"])
def test_parts_of_two_processes_are_measured_as_the_whole(folder, tmp_path, monkeypatch, name):
    assert [failure for _, failure in left_by(folder, name, 2)] == [None, None]
    case = shard_rank.CASES[2][name]
    assert_record_is_that_of_one_process(folder / name, case, tmp_path, monkeypatch)


def test_a_rank_whose_training_breaks_off_leaves_no_other_waiting(folder):
    assert left_by(folder, shard_rank.BROKEN_OFF, 2) == [(3, None)] * 2
    assert figures(folder / shard_rank.BROKEN_OFF).steps.tolist() == [0, 1, 2]


def test_a_sharded_training_that_goes_on_continues_its_record(folder):
    assert left_by(folder, "resumed", 2) == [None, None]
    kind, last = ddp_rank.CASES["sharded"]
    net = seeded(kind)
    steps = run_plainly(net, ddp_rank.joined(net, last) * 2)
    assert_figures_are_those_of(steps, figures(folder / "resumed" / "watched"))


@pytest.mark.parametrize("case", ["fsdp_failing", "tensor_failing"])
def test_a_watcher_that_fails_on_one_rank_ends_those_of_all(folder, case):
    failures = [failure for _, failure in left_by(folder, case, 2)]
    assert failures[0].endswith("the monitor has failed on a rank of this training")
    assert failures[1].endswith("PlantedError: planted")
    assert figures(folder / case).steps.tolist() == [0, 1, 2, 3, 4]
