"""What several processes measured of a sharded network, against one process with all the data."""

import json

import numpy as np
import torch

from layerscope.diagnose.measured.figure_names import LAYER_FIGURES
from layerscope.events.reader import read_run
from layerscope.record import Recorder
from layerscope.sinks.figures_event import figures_of
from tests.any_model import shard_rank

SAMPLED = {"weight_row_spread"}
"""Figures of the first rank's part."""


def assert_record_is_that_of_one_process(folder, case, tmp_path, monkeypatch):
    """Counts are equal to the bit, and all else within 1e-6; so are the weights at the end."""
    monkeypatch.setattr(
        Recorder, "is_merged", property(lambda _: True, lambda *_: None), raising=False
    )
    shard_rank.train(case.network(), shard_rank.batches(case.data), tmp_path, **case.settings)
    one, all_of_them = read_run(tmp_path), read_run(folder)
    expected, found = figures_of(one), figures_of(all_of_them)
    assert found.layers == expected.layers
    assert found.steps.tolist() == list(range(shard_rank.STEPS))
    for name in LAYER_FIGURES:
        if name not in SAMPLED:
            rtol = 0 if name.endswith(("_count", "_nonfinite", "units", "zeros")) else 1e-6
            np.testing.assert_allclose(found[name], expected[name], rtol=rtol, err_msg=name)
    has_weights = [bool(facts.weights) for facts in expected.layers]
    assert not np.isnan(expected["update_to_weight"][0][has_weights]).any()
    assert one.histograms.keys() == all_of_them.histograms.keys()
    for tag, series in one.histograms.items():
        buckets = all_of_them.histograms[tag].buckets
        np.testing.assert_array_equal(
            buckets[:, :, 2].sum(1), series.buckets[:, :, 2].sum(1), err_msg=tag
        )
        if tag.startswith("activation"):  # one process, too, counts these in bins
            counts, edges = buckets[0][:, 2], buckets[0][:, :2]
            np.testing.assert_array_equal(counts, series.buckets[0][:, 2], err_msg=tag)
            np.testing.assert_allclose(edges, series.buckets[0][:, :2], rtol=1e-6, err_msg=tag)
    assert_alike(last_step(folder), last_step(tmp_path))


def last_step(folder):
    diagnosis = json.loads((folder / "diagnosis.json").read_text())
    assert diagnosis["not_measured"] == []
    return diagnosis["steps"][-1]["layers"]


def assert_alike(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key, value in other.items():
            if isinstance(value, dict):
                assert_alike([one[key]], [value])
            elif isinstance(value, float):
                assert abs(one[key] - value) <= 1e-6 * abs(value), key
            else:
                assert one[key] == value, key


def assert_weights_are_those_without_the_watcher(left):
    for of_rank, _ in left:
        for watched, alone in zip(of_rank[True], of_rank[False], strict=True):
            assert torch.equal(watched, alone)
