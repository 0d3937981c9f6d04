import numpy as np
import pytest

from layerscope.events.event_file import EventFile
from layerscope.events.reader import read_run
from layerscope.events.summaries import scalar
from layerscope.sinks.figures_event import FiguresEncoder, figure_sets, figures_of
from tests.runs import Made

FIGURES = Made(steps=10).figures()


def write(folder, *parts):
    """One event file: of each part its number, how many of the layers and which steps."""
    with EventFile(folder) as events:
        for number, layers, steps in parts:
            encoder = FiguresEncoder(FIGURES.layers[:layers], number)
            for step in steps:
                values = encoder.encode_steps(
                    FIGURES.of_layers[[step], :layers], FIGURES.of_steps[[step]]
                )[0]
                events.add(step, values, 1.0)


def cut(folder):
    return [(len(each.layers), each.steps.tolist()) for each in figure_sets(read_run(folder))]


def test_a_run_with_one_set_of_layers_is_one_part(tmp_path):
    write(tmp_path, (1, 7, range(10)))
    (only,) = figure_sets(read_run(tmp_path))
    joined = figures_of(read_run(tmp_path))
    np.testing.assert_array_equal(only.of_layers, joined.of_layers)
    np.testing.assert_array_equal(only.of_steps, joined.of_steps)
    assert only.layers == joined.layers


def test_a_run_is_cut_where_its_layers_change(tmp_path):
    write(tmp_path, (1, 5, range(4)), (2, 6, range(4, 7)), (3, 7, range(7, 10)))
    assert cut(tmp_path) == [(5, [0, 1, 2, 3]), (6, [4, 5, 6]), (7, [7, 8, 9])]
    parts = figure_sets(read_run(tmp_path))
    for part in parts:
        rows = part.steps
        np.testing.assert_array_equal(part.of_layers, FIGURES.of_layers[rows, : len(part.layers)])
        np.testing.assert_array_equal(part.of_steps, FIGURES.of_steps[rows])


def test_a_resumed_run_comes_back_to_its_first_set(tmp_path):
    write(tmp_path, (1, 5, range(3)), (2, 7, range(3, 6)))
    write(tmp_path, (1, 5, range(6, 8)), (2, 7, range(8, 10)))
    assert cut(tmp_path) == [(5, [0, 1, 2]), (7, [3, 4, 5]), (5, [6, 7]), (7, [8, 9])]


def test_a_run_without_figures_has_none(tmp_path):
    with EventFile(tmp_path) as events:
        events.add(0, [scalar("loss", 1.0)], 1.0)
    assert figure_sets(read_run(tmp_path)) == []


@pytest.mark.parametrize(("one", "other"), [((5, 6), (5, 4)), ((5, 4), (7, 6)), ((7, 9), (5, 3))])
def test_the_figures_of_two_runs_in_one_folder_are_refused(tmp_path, one, other):
    for layers, steps in (one, other):
        write(tmp_path, (1, layers, range(steps)))
    with pytest.raises(ValueError, match="must be of one run, got several that overlap"):
        figure_sets(read_run(tmp_path))
