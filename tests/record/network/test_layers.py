from collections import OrderedDict

import pytest
import torch
from torch import nn

from layerscope.record import choose_layers


def names(network, pattern=None):
    return [layer.name for layer in choose_layers(network, pattern)]


def mlp():
    return nn.Sequential(
        nn.Embedding(5, 2), nn.Flatten(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 5)
    )


def test_an_activation_function_and_the_linear_module_before_it_are_one_layer():
    embedding, tanh, linear = choose_layers(mlp())
    assert (embedding.name, tanh.name, linear.name) == ("00_embedding", "01_tanh", "02_linear")
    assert isinstance(tanh.module, nn.Tanh)
    assert [(name, tuple(p.shape)) for name, p in tanh.parameters] == [
        ("weight", (4, 6)),
        ("bias", (4,)),
    ]


def test_outside_a_plain_sequential_nothing_is_taken_for_granted():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(2, 2)
            self.act = nn.ReLU()

    assert names(Net()) == ["00_first", "01_act"]


def test_names_drop_what_all_paths_have_in_common():
    network = nn.ModuleDict({"net": nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.Conv1d(1, 1, 1)})})
    assert names(network) == ["00_a", "01_b"]


def test_modules_that_do_not_compute_are_passed_over():
    assert names(nn.Sequential(nn.Dropout(), nn.Linear(1, 1), nn.Flatten(), nn.Identity())) == [
        "00_linear"
    ]


def test_a_normalisation_before_an_activation_function_joins_it_and_the_convolution_stays():
    block = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU())
    assert names(block) == ["00_conv2d", "01_relu"]
    assert [p.shape.numel() for _, p in choose_layers(block)[1].parameters] == [2, 2]


def test_attention_is_one_layer():
    layer = nn.TransformerEncoderLayer(8, 2)
    assert "00_self_attn" in names(layer)
    assert not any("out_proj" in name for name in names(layer))


def test_a_module_under_two_names_is_one_layer():
    shared = nn.Linear(2, 2)
    assert names(nn.ModuleDict({"a": shared, "b": shared})) == ["00_a"]
    parents = {"a": nn.ModuleDict({"x": shared}), "b": nn.ModuleDict({"y": shared})}
    assert [layer.path for layer in choose_layers(nn.ModuleDict(parents))] == ["a.x"]


def test_what_torch_compile_puts_into_a_path_is_left_out():
    network = nn.ModuleDict(
        {
            "a": torch.compile(nn.Sequential(nn.Linear(1, 1), nn.Tanh()), backend="eager"),
            "b": nn.Linear(1, 1),
        }
    )
    assert names(network) == ["00_tanh_a.1", "01_b"]


def test_a_regular_expression_chooses_by_path():
    assert names(mlp(), r"^[34]$") == ["00_tanh", "01_linear"]


def test_order_numbers_are_as_wide_as_the_largest():
    deep = nn.Sequential(*(nn.Linear(1, 1) for _ in range(101)))
    assert names(deep)[0] == "000_linear"


def test_choosing_nothing_is_refused():
    with pytest.raises(
        ValueError, match=r"Sequential has no module to watch that layers=.nowhere. chooses"
    ):
        choose_layers(mlp(), "nowhere")
    with pytest.raises(ValueError, match=r"Sequential has no module to watch$"):
        choose_layers(nn.Sequential(nn.Flatten()))


def test_a_broken_regular_expression_is_refused():
    with pytest.raises(ValueError, match=r"layers must be a regular expression, got '\['"):
        choose_layers(mlp(), "[")


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.gate = nn.Linear(2, 2)
        self.same = self.gate.weight
        self.experts = nn.ParameterList([torch.ones(2, 2)])


def test_an_activation_object_in_several_places_is_the_end_of_none_of_the_layers_before_it():
    act = nn.ReLU()
    blocks = [nn.Sequential(nn.Linear(2, 2), act), nn.Sequential(nn.Linear(2, 3), act)]
    layers = choose_layers(nn.Sequential(*blocks))
    assert [len(each.parameters) for each in layers] == [2, 0, 2]
    assert [type(each.module) for each in layers] == [nn.Linear, nn.ReLU, nn.Linear]
    assert len(choose_layers(nn.Sequential(nn.Linear(2, 2), act, nn.Linear(2, 2), act))) == 3


def test_of_a_module_that_is_made_of_others_its_own_parameters_are_watched():
    layers = choose_layers(nn.ModuleDict({"block": Gated(), "head": nn.Linear(2, 2)}))
    assert [(each.name, each.has_output) for each in layers] == [
        ("00_block", False),
        ("01_block.gate", True),
        ("02_block.experts", False),
        ("03_head", True),
    ]
    assert [[name for name, _ in each.parameters] for each in layers[:3]] == [
        ["scale"],  # not `same`, which is the gate's weight
        ["weight", "bias"],
        ["0"],
    ]


def test_a_module_whose_children_do_not_compute_computes_itself():
    class ByHand(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 2))
            self.drop = nn.Dropout()

    (layer,) = choose_layers(ByHand())
    assert (layer.name, layer.has_output) == ("00_byhand", True)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)
        self.layers = nn.Sequential(nn.Linear(1, 1), nn.ReLU())


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (nn.Sequential(Block(), Block()), ["00_block.0.conv", "01_relu_block.0.layers.1"]),
        (nn.ModuleDict({"stack": nn.Sequential(Block(), Block())}), ["00_stack.0.conv"]),
        (nn.Sequential(nn.Sequential(OrderedDict(a=nn.Linear(1, 1))), Block()), ["00_a"]),
        (
            nn.ModuleDict({"features": nn.Sequential(nn.Conv2d(1, 1, 1)), "head": Block()}),
            ["00_conv2d_features.0", "01_head.conv"],
        ),
    ],
)
def test_a_name_begins_with_no_position_and_says_the_kind_before_one_at_the_end(network, expected):
    assert names(network)[: len(expected)] == expected
