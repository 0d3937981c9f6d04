"""The layout of the Custom Scalars tab, read back with TensorBoard's own proto."""

import re

import pytest
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from layerscope.sinks.chart_descriptions import describe_scalar, layer_charts


@pytest.fixture
def layout():
    (value,) = Summary.FromString(layer_charts()).value
    assert value.tag == metadata.CONFIG_SUMMARY_TAG
    assert value.metadata.plugin_data == metadata.create_summary_metadata().plugin_data
    assert list(value.tensor.tensor_shape.dim) == []
    (content,) = value.tensor.string_val
    return layout_pb2.Layout.FromString(content)


def test_every_layer_of_a_quantity_is_in_one_chart(layout):
    category, of_the_stream = layout.category
    charts = {chart.title: list(chart.multiline.tag) for chart in category.chart}
    assert charts == {
        "std per layer": ["^activation_std/"],
        "saturated share per layer": ["^saturated_share/"],
        "log10(activation gradient RMS) per layer": ["^activation_grad_rms_log10/"],
        "log10(weight gradient RMS) per layer": ["^weight_grad_rms_log10/"],
        "log10(update / weight) per layer": ["^update_to_weight_log10/"],
    }
    assert not category.closed
    charts = {chart.title: list(chart.multiline.tag) for chart in of_the_stream.chart}
    assert charts == {
        "RMS after each addition": ["^stream_rms/"],
        "branch / stream": ["^branch_to_stream/"],
        "share above 10 RMS": ["^outlier_share/"],
    }
    assert of_the_stream.closed


def test_the_charts_are_of_scalars_that_are_written(layout):
    for chart in [chart for category in layout.category for chart in category.chart]:
        (pattern,) = chart.multiline.tag
        name = pattern.strip("^/")
        assert describe_scalar(name)
        assert re.match(pattern, f"{name}/01_tanh")
        assert not re.match(pattern, f"other_{name}/01_tanh")


def test_all_runs_have_the_same_layout_so_that_tensorboard_shows_it_once():
    assert layer_charts() == layer_charts()
