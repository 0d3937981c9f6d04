"""Depth, branches and linear chains are read off autograd's graph."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.layer_graph import wiring
from layerscope.record.graph.moved_outputs import is_of_parameter, masked_before
from layerscope.record.network.nonlinearities import nonlinearity_of


def wired(network, inputs, entries=None):
    """The wiring of a network's Linear, LayerNorm and activation modules, by path."""
    outputs, masked = [], set()
    kinds = (nn.Linear, nn.LayerNorm, nn.ReLU, nn.Tanh)
    for path, module in network.named_modules():
        if isinstance(module, kinds):

            def note(m, i, o, path=path):
                outputs.append((path, m, m, o.grad_fn))
                masked.update(masked_before(o.grad_fn, i[0]))

            module.register_forward_hook(note)
    output = network(inputs)
    output.sum().backward()
    return wiring(outputs, [output.grad_fn], masked=masked)


class Net(nn.Module):
    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


X = torch.ones(4, 8)
Y = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))


def linear(inputs=8, outputs=8):
    return nn.Linear(inputs, outputs)


def test_in_a_chain_every_layer_is_on_the_trunk_and_has_the_one_before_as_parent():
    made = wired(nn.Sequential(linear(), nn.Tanh(), linear(), nn.Tanh(), linear()), X)
    assert [made[str(i)].parents for i in range(5)] == [(), ("0",), ("1",), ("2",), ("3",)]
    assert all(layer.on_trunk for layer in made.values())


def test_a_branch_beside_a_residual_stream_is_not_on_the_trunk():
    made = wired(
        Net(
            lambda n, x: n.head(n.stem(x) + n.branch(n.stem_norm(x))),
            stem=linear(),
            stem_norm=nn.LayerNorm(8),
            branch=linear(),
            head=linear(),
        ),
        X,
    )
    assert [name for name, layer in made.items() if layer.on_trunk] == ["head"]
    assert set(made["head"].parents) == {"stem", "branch"}


def attend(n, x):
    values = n.values(x).tanh()
    return n.scores(values).softmax(0) * values


def test_what_is_joined_by_no_layer_at_the_very_end_is_no_trunk_for_what_passes_it_by():
    made = wired(Net(attend, values=linear(), scores=linear()), X)
    assert [name for name, layer in made.items() if layer.on_trunk] == ["values"]
    behind = Net(lambda n, x: n.head(attend(n, x)), values=linear(), scores=linear(), head=linear())
    made = wired(behind, X)
    assert [name for name, layer in made.items() if layer.on_trunk] == ["values", "head"]


def test_of_two_heads_on_one_trunk_neither_is_on_it():
    made = wired(
        Net(
            lambda n, x: n.policy(n.body(x).tanh()).sum() + n.value(n.body(x).tanh()).sum(),
            body=linear(),
            policy=linear(),
            value=linear(),
        ),
        X,
    )
    assert not made["policy"].on_trunk
    assert not made["value"].on_trunk


def test_a_branch_that_is_called_first_is_not_the_first_layer():
    def forward(n, x):
        side = n.side(torch.ones(4, 8))
        return n.head(n.hidden(n.stem(x).relu()).relu() + side)

    made = wired(Net(forward, side=linear(), stem=linear(), hidden=linear(), head=linear()), X)
    assert not made["side"].on_trunk
    assert made["head"].on_trunk


def test_linear_layers_in_a_row_are_told():
    made = wired(nn.Sequential(linear(), linear(), nn.Dropout(0.5), linear()), X)
    assert made["1"].follows == "0"
    assert made["3"].follows == "1"


def test_a_function_between_them_is_a_function_wherever_it_is_called():
    made = wired(Net(lambda n, x: n.second(F.gelu(n.first(x))), first=linear(), second=linear()), X)
    assert made["second"].follows == ""
    made = wired(nn.Sequential(linear(), nn.LayerNorm(8), linear()), X)
    assert made["2"].follows == ""


@pytest.mark.parametrize(
    ("between", "chained"),
    [
        (lambda x: x * (x > 0), ""),
        (lambda x: (x > 0).float() * x, ""),
        (lambda x: F.dropout(x, 0.2), "first"),
        (lambda x: torch.maximum(x, torch.zeros(())), ""),
        (lambda x: x * 2, "first"),
        (lambda x: torch.tensor(3.0) * x, "first"),
        (lambda x: x * torch.arange(8.0), "first"),
    ],
)
def test_a_product_with_a_number_for_each_element_is_a_function(between, chained):
    net = Net(lambda n, x: n.second(between(n.first(x))), first=linear(), second=linear())
    assert wired(net, Y)["second"].follows == chained


def test_a_bottleneck_and_a_gate_are_meant():
    assert wired(nn.Sequential(linear(8, 2), linear(2, 8)), X)["1"].follows == ""
    gated = Net(
        lambda n, x: n.out(n.value(x) * n.gate(x)), value=linear(), gate=linear(), out=linear()
    )
    assert wired(gated, X)["out"].follows == ""


def test_a_linear_layer_whose_output_others_get_too_is_not_one_with_the_next():
    def forward(n, x):
        h = n.first(x)
        return n.last(h + n.gate(h).softmax(-1))

    made = wired(Net(forward, first=linear(), gate=linear(), last=linear()), X)
    assert made["gate"].follows == made["last"].follows == ""


def test_a_batch_of_sequences_is_the_same():
    made = wired(nn.Sequential(linear(), linear()), torch.ones(2, 3, 8))
    assert made["1"].follows == "0"


def test_a_leaky_relu_with_a_slope_of_1_is_no_function_between_two_linear_layers():
    for slope, chained in ((0.01, ""), (True, "0")):
        network = nn.Sequential(linear(), nn.LeakyReLU(slope), linear())
        assert wired(network, X)["2"].follows == chained
        assert (nonlinearity_of(network[1]) is None) == bool(chained)


def test_a_function_of_a_parameter_is_told_from_one_of_data():
    gate, x = nn.Parameter(torch.zeros(3)), torch.ones(4, 3)
    moved = gate.sigmoid(), F.softplus(gate[None]), gate.view(1, 3).expand(4, 3).tanh()
    for output in (*moved, (5 * gate + 3).tanh()):
        assert is_of_parameter(output, is_linear=False)
    data = x.clone().requires_grad_()
    for output in (linear(3, 3)(x).relu(), (gate * x).relu(), data.relu(), (x @ gate).relu()):
        assert not is_of_parameter(output, is_linear=False)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_linear_layer_of_a_learned_token_is_told_from_one_of_data(bias, frozen):
    layer = nn.Linear(8, 3, bias=bias).requires_grad_(not frozen)
    token, x = nn.Parameter(torch.zeros(8)), torch.ones(4, 8)
    for given in (token.expand(4, -1), token.expand(4, 2, -1), token[None]):
        assert is_of_parameter(layer(given), is_linear=True)
    data = x.clone().requires_grad_()
    for given in (x, x[None], x.expand(2, 4, 8), data, token * x, token + x, token + data):
        assert not is_of_parameter(layer(given), is_linear=True)


def ends(network, returned, get_data=()):
    """Which layers calls from outside end with; `returned` makes their outputs."""
    outputs = []
    for path, module in network.named_modules():
        if isinstance(module, (nn.Linear, nn.Tanh)):
            module.register_forward_hook(
                lambda m, i, o, path=path: outputs.append((path, m, m, o.grad_fn))
            )
    nodes = [output.grad_fn for output in returned(network)]
    return {name for name, each in wiring(outputs, nodes, get_data).items() if each.is_end}


def called_in_turn(network):
    made = network[0](X)
    return made, network[1](made)


def test_what_a_call_from_outside_returns_is_an_end_unless_it_goes_on_into_another_network():
    pair = nn.ModuleList([nn.Sequential(linear(), nn.Tanh()), nn.Sequential(linear(), linear())])
    assert ends(pair, called_in_turn) == {"1.1"}  # an encoder, and its decoder


def test_a_generator_ends_where_its_discriminator_gets_data_too():
    pair = nn.ModuleList([nn.Sequential(linear(), nn.Tanh()), nn.Sequential(linear(), linear())])
    assert ends(pair, called_in_turn, {"1.0"}) == {"0.1", "1.1"}


def test_an_end_may_be_moved_and_scaled_but_not_summed_up():
    net = nn.Sequential(linear(), nn.Tanh())
    assert ends(net, lambda n: [2 * n(X).view(2, 2, 8)]) == {"1"}
    assert ends(net, lambda n: [n(X).sum()]) == set()
    assert ends(net, lambda n: [n[0](X) * n[1](n[0](X))]) == set()
