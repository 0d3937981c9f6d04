"""Gates that are shut and open, against a recurrence that is written out."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import layerscope
from tests.watching import watch_loop


def lstm(x, h, c, w, u, b):
    i, f, g, o = (w @ x + u @ h + b).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c, {"input": i, "forget": f, "output": o}


def gru(x, h, c, w, u, b):
    a, d = w @ x + b[0], u @ h + b[1]
    (r, z, n), (s, t, m) = a.chunk(3), d.chunk(3)
    r, z = (r + s).sigmoid(), (z + t).sigmoid()
    h = (1 - z) * (n + r * m).tanh() + z * h
    return h, c, {"reset": r.logit(), "update": z.logit()}


def slowly(module, xs):
    """By gate and layer, all its values: one sample, one time, one layer after the other."""
    kind = lstm if isinstance(module, nn.LSTM) else gru
    values = {}
    ways = 2 if module.bidirectional else 1
    for sequence in xs.double():
        for layer in range(module.num_layers):
            outputs = []
            for way in range(ways):
                w, u, *b = (p.double() for p in module.all_weights[layer * ways + way])
                bias = sum(b) if kind is lstm else b
                h = torch.zeros(module.hidden_size, dtype=torch.double)
                c, of_way = h, []
                for x in sequence.flip(0) if way else sequence:
                    h, c, gates = kind(x, h, c, w, u, bias)
                    of_way.append(h)
                    for name, logits in gates.items():
                        suffix = (f"_l{layer}" if layer else "") + ("_reverse" if way else "")
                        values.setdefault(name + suffix, []).append(logits.sigmoid())
                outputs.append(torch.stack(of_way[::-1] if way else of_way))
            sequence = torch.cat(outputs, 1)
    return {name: torch.stack(each).detach().numpy() for name, each in values.items()}


class Net(nn.Module):
    def __init__(self, recurrent):
        super().__init__()
        self.recurrent, self.head = recurrent, nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.recurrent(x)[0])


class OfCells(nn.Module):
    """The same as an LSTM of one layer, a cell at a time."""

    def __init__(self, width=4):
        super().__init__()
        self.cell, self.head = nn.LSTMCell(width, 12), nn.Linear(12, 2)

    def forward(self, x):
        state = None
        for time in x.unbind(1):
            state = self.cell(time, state)
        return self.head(state[0])


def figures_of(network, x, folder):
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    watcher = watch_loop(network, folder, 2, lambda step: (x,), optimizer=still)
    assert watcher.failure is None
    figures = layerscope.read(folder).figures
    return {
        facts.name.partition("/")[2]: (
            float(figures["gate_shut"][0, place]), float(figures["gate_open"][0, place]),
        )
        for place, facts in enumerate(figures.layers)
        if facts.module == "gate"
    }  # fmt: skip


def shares(values):
    return {name: (np.mean(each < 0.1), np.mean(each > 0.9)) for name, each in values.items()}


RECURRENT = {
    "lstm": lambda: nn.LSTM(4, 12, batch_first=True),
    "two layers": lambda: nn.LSTM(4, 12, 2, batch_first=True),
    "gru": lambda: nn.GRU(4, 12, batch_first=True),
    "both ways": lambda: nn.GRU(4, 6, 2, batch_first=True, bidirectional=True),
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_gates_are_those_of_a_recurrence_that_is_written_out(tmp_path, kind):
    torch.manual_seed(0)
    module = RECURRENT[kind]()
    for parameter in module.parameters():
        parameter.data *= 6
    x = 2 * torch.randn(5, 6, 4)
    found = figures_of(Net(module), x, tmp_path)
    expected = shares(slowly(module, x))
    assert found.keys() == expected.keys()
    for gate, pair in found.items():
        np.testing.assert_allclose(pair, expected[gate], atol=1e-6)
    assert max(pair[1] for pair in found.values()) > 0.1  # there is something to find


def test_gates_of_a_cell_add_up_over_its_calls(tmp_path):
    torch.manual_seed(0)
    network, module = OfCells(), nn.LSTM(4, 12, batch_first=True)
    for own, other in zip(network.cell.parameters(), module.parameters(), strict=True):
        own.data *= 6
        other.data = own.data
    x = torch.randn(5, 6, 4)
    expected = shares(slowly(module, x))
    for gate, pair in figures_of(network, x, tmp_path).items():
        np.testing.assert_allclose(pair, expected[gate], atol=1e-6)


def test_of_a_stack_with_dropout_the_first_layer_is_looked_at(tmp_path):
    net = Net(nn.LSTM(4, 12, 2, batch_first=True, dropout=0.5))
    assert set(figures_of(net, torch.randn(5, 6, 4), tmp_path)) == {"input", "forget", "output"}


class Warns(nn.Module):
    def forward(self, x):
        warnings.warn("the script's own", UserWarning, stacklevel=1)
        return x


def test_a_warning_of_the_script_s_is_shown_as_often_as_without(tmp_path):
    net = nn.ModuleList([Warns(), nn.LSTM(2, 3)])
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")  # once for each place
        with layerscope.watch(net, tmp_path, summary=False, images=False) as watcher:
            for _ in range(3):
                net[1](net[0](torch.ones(4, 1, 2)))[0].sum().backward()
                watcher.step()
    assert [str(each.message) for each in shown] == ["the script's own"]
