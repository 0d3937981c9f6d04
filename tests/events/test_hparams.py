"""A row of the HParams tab, read back with TensorBoard's own protos and by its own backend."""

import math

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.summary_v2 import hparams_pb

from layerscope.events.event_file import EventFile
from layerscope.events.hparams import ENDED, session_end, session_start
from layerscope.events.reader import read_run

PARAMS = {
    "init": "größe", "model.depth": 5, "optimizer.lr": 4e-3, "shuffle": True, "off": False,
    "zero": 0, "widths": None, "gain": math.inf,
}  # fmt: skip


def parsed(values):
    return {value.tag: value for value in Summary.FromString(b"".join(values)).value}


def content(value):
    assert value.metadata.plugin_data.plugin_name == "hparams"
    return value.metadata.plugin_data.content


def experiment(params):
    value = parsed(session_start(params, 12.5))["_hparams_/experiment"]
    return metadata.parse_experiment_plugin_data(content(value))


def test_a_row_is_what_tensorboards_own_writer_makes_of_it():
    params = {key: PARAMS[key] for key in ("init", "model.depth", "optimizer.lr", "shuffle", "off")}
    ours = parsed(session_start(params, 12.5))[metadata.SESSION_START_INFO_TAG]
    (theirs,) = hparams_pb(params, trial_id="x", start_time_secs=12.5).value
    theirs_info = metadata.parse_session_start_info_plugin_data(content(theirs))
    theirs_info.group_name = ""  # TensorBoard's name of the run, which no two runs share
    assert metadata.parse_session_start_info_plugin_data(content(ours)) == theirs_info
    assert ours.tensor == theirs.tensor


def test_nothing_is_an_empty_cell_and_infinity_a_word():
    start = parsed(session_start(PARAMS, 12.5))[metadata.SESSION_START_INFO_TAG]
    cells = metadata.parse_session_start_info_plugin_data(content(start)).hparams
    assert cells.keys() == PARAMS.keys() - {"widths"}
    assert cells["zero"].WhichOneof("kind") == "number_value"
    assert cells["off"].WhichOneof("kind") == "bool_value"
    assert cells["gain"].string_value == "inf"


def test_each_parameter_is_a_column_of_its_type_without_a_domain():
    infos = {info.name: info for info in experiment(PARAMS).hparam_infos}
    assert {name: info.type for name, info in infos.items()} == {
        "init": api_pb2.DATA_TYPE_STRING, "model.depth": api_pb2.DATA_TYPE_FLOAT64,
        "optimizer.lr": api_pb2.DATA_TYPE_FLOAT64, "shuffle": api_pb2.DATA_TYPE_BOOL,
        "off": api_pb2.DATA_TYPE_BOOL, "zero": api_pb2.DATA_TYPE_FLOAT64,
        "widths": api_pb2.DATA_TYPE_STRING, "gain": api_pb2.DATA_TYPE_STRING,
    }  # fmt: skip
    assert all(info.WhichOneof("domain") is None for info in infos.values())


def test_the_first_five_parameters_are_those_shown():
    shown = [info.name for info in experiment(PARAMS).hparam_infos if info.differs]
    assert shown == list(PARAMS)[:5]


def test_three_scalars_are_columns_however_many_there_are():
    metrics = experiment(PARAMS).metric_infos
    assert [(metric.name.group, metric.name.tag) for metric in metrics] == [
        ("", "val/loss"), ("", ENDED), ("", "train/loss"),
    ]  # fmt: skip
    assert [metric.dataset_type for metric in metrics] == [
        api_pb2.DATASET_VALIDATION, api_pb2.DATASET_TRAINING, api_pb2.DATASET_TRAINING,
    ]  # fmt: skip
    assert metrics[0].display_name == "val/loss"


def test_a_run_of_which_nothing_is_known_leaves_the_columns_to_others():
    assert parsed(session_start({}, 1.0)).keys() == {metadata.SESSION_START_INFO_TAG}


@pytest.mark.parametrize(
    ("state", "status", "ended"),
    [
        ("finished", api_pb2.STATUS_SUCCESS, 1),
        ("interrupted", api_pb2.STATUS_FAILURE, 0),
        ("failed", api_pb2.STATUS_FAILURE, -1),
    ],
)
def test_only_a_finished_run_is_a_success(state, status, ended):
    values = parsed(session_end(state, 99.5))
    end = metadata.parse_session_end_info_plugin_data(
        content(values[metadata.SESSION_END_INFO_TAG])
    )
    assert (end.status, end.end_time_secs) == (status, 99.5)
    assert values[ENDED].simple_value == ended


@pytest.mark.parametrize("state", ["running", "done"])
def test_an_end_that_is_none_is_refused(state):
    with pytest.raises(ValueError, match=f"finished, interrupted, failed, got '{state}'"):
        session_end(state, 0.0)


def test_the_start_alone_says_neither_success_nor_failure(tmp_path):
    with EventFile(tmp_path) as events:
        events.add(0, session_start(PARAMS, 1.0))
    accumulator = EventAccumulator(str(tmp_path))
    accumulator.Reload()
    tags = accumulator.PluginTagToContent("hparams")
    assert metadata.SESSION_START_INFO_TAG in tags
    assert metadata.SESSION_END_INFO_TAG not in tags


def test_our_own_reader_takes_of_it_the_scalar_alone(tmp_path):
    with EventFile(tmp_path) as events:
        events.add(0, session_start(PARAMS, 1.0))
        events.add(7, session_end("failed", 2.0))
    run = read_run(tmp_path)
    assert run.scalars.keys() == {ENDED}
    assert (run.scalars[ENDED].steps.tolist(), run.scalars[ENDED].values.tolist()) == ([7], [-1.0])
    assert [run.tensors, run.documents, run.texts] == [{}, {}, {}]
