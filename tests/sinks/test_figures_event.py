import json

import numpy as np
import pytest

from layerscope.diagnose.measured.figure_names import LAYER_COLUMN, STEP_FIGURES
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.events.event_file import EventFile
from layerscope.events.reader import read_run
from layerscope.events.summaries import scalar
from layerscope.sinks.figures_event import FiguresEncoder, figures_of

TANH = LayerFacts("00_tanh", "net.1", "Tanh", 0, "tanh", (-1.0, 1.0), odd=True, weights=("weight",))
HEAD = LayerFacts("01_head", "net.2", "Linear", 1, last=True, weights=("weight",))


def random_figures(layers, steps, seed=0):
    draw = np.random.default_rng(seed)
    figures = Figures.empty(layers, steps)
    figures.of_layers[:] = draw.standard_normal(figures.of_layers.shape)
    figures.of_steps[:] = draw.standard_normal(figures.of_steps.shape)
    figures.of_layers[0, 0, 0] = np.nan
    return figures


def write(directory, parts):
    events = EventFile(directory)
    for number, figures in enumerate(parts, 1):
        encoder = FiguresEncoder(figures.layers, number)
        for i, step in enumerate(figures.steps.tolist()):
            events.add(
                step, encoder.encode_steps(figures.of_layers[[i]], figures.of_steps[[i]])[0], 1.0
            )
    events.close()


def test_figures_come_back_as_they_were_written(tmp_path):
    written = random_figures([TANH, HEAD], range(5))
    write(tmp_path, [written])
    read = figures_of(read_run(tmp_path))
    assert read.layers == (TANH, HEAD)
    np.testing.assert_array_equal(read.steps, written.steps)
    np.testing.assert_array_equal(read.of_layers, written.of_layers)
    np.testing.assert_array_equal(read.of_steps, written.of_steps)
    np.testing.assert_array_equal(read["loss"], written.of_steps[:, 0])
    at = LAYER_COLUMN["zeros"]
    np.testing.assert_array_equal(read["zeros"], written.of_layers[:, :, at])
    assert next(iter(STEP_FIGURES)) == "loss"


def test_of_a_step_written_twice_the_later_record_counts(tmp_path):
    first, second = random_figures([TANH], range(4)), random_figures([TANH], [2, 3, 4], seed=1)
    write(tmp_path / "a", [first])
    write(tmp_path / "b", [second])
    for at, name in enumerate("ab"):
        next((tmp_path / name).iterdir()).rename(tmp_path / f"events.out.tfevents.{at}")
    read = figures_of(read_run(tmp_path))
    assert read.steps.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(read.of_layers[:2], first.of_layers[:2])
    np.testing.assert_array_equal(read.of_layers[2:], second.of_layers)


def test_layers_that_change_in_the_middle_of_a_run_are_joined(tmp_path):
    first, second = random_figures([TANH], [0, 1]), random_figures([HEAD, TANH], [2, 3], seed=1)
    write(tmp_path, [first, second])
    read = figures_of(read_run(tmp_path))
    assert read.layers == (TANH, HEAD)
    np.testing.assert_array_equal(read.of_layers[:2, 0], first.of_layers[:, 0])
    assert np.isnan(read.of_layers[:2, 1]).all()
    np.testing.assert_array_equal(read.of_layers[2:], second.of_layers[:, ::-1])


def test_a_run_without_figures_has_none(tmp_path):
    events = EventFile(tmp_path)
    events.add(0, [scalar("loss", 1.0)], 1.0)
    events.close()
    assert figures_of(read_run(tmp_path)) is None


@pytest.mark.parametrize("wrong", [None, "x", [], {"a": 1}, -1, 10**30, [[]]], ids=repr)
def test_a_malformed_document_is_one_sentence_or_figures(tmp_path, wrong):
    write(tmp_path, [random_figures([TANH, HEAD], range(2))])
    run = read_run(tmp_path)
    (tag,) = run.documents
    content = json.loads(run.documents[tag].texts[-1])
    places = [(content, key) for key in content]
    places += [
        (content["layers"], 0),
        *((content["layers"][0], key) for key in content["layers"][0]),
    ]
    refused = 0
    for node, key in places:
        before, node[key] = node[key], wrong
        run.documents[tag].texts[-1] = json.dumps(content)
        try:
            figures_of(run)
        except ValueError as error:
            refused += str(error).startswith("layerscope/layers must be what a run writes, but ")
        node[key] = before
    assert refused >= 10
