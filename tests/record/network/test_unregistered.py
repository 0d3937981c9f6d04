"""Parameters that an output is made of and the network has not are found in autograd's graph."""

import gc

import torch
from torch import nn

from layerscope.record.ends.first_step import Unregistered


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.hidden[0](x))


def found(network, x, owned=()):
    looked = Unregistered()
    looked.note_inputs((x,))
    looked.find(network, [network(x).grad_fn], lambda _: None)
    gc.collect()
    assert looked.count(lambda: set()) == (0, 0)  # too early to tell
    return looked.count(lambda: {id(parameter) for parameter in owned})


X = torch.ones(3, 4)


def test_the_parameters_of_a_module_in_a_list_are_counted():
    assert found(Net([nn.Linear(4, 4)]), X) == (2, 0)


def test_those_of_a_registered_module_are_not():
    assert found(Net(nn.ModuleList([nn.Linear(4, 4)])), X) == (0, 0)


def test_those_that_an_optimizer_has_are_not():
    hidden = nn.Linear(4, 4)
    assert found(Net([hidden]), X, [hidden.weight]) == (1, 0)


def test_what_the_input_was_made_of_is_somebody_elses():
    generator = nn.Linear(4, 4)
    network = Net(nn.ModuleList([nn.Identity()]))
    assert found(network, generator(X)) == (0, 0)
    assert found(network, nn.Parameter(X)) == (0, 0)


def test_a_parameter_made_in_the_forward_pass_is_gone_afterwards():
    class Anew(nn.Linear):
        def forward(self, x):
            return x @ nn.Parameter(self.weight.T)

    assert found(Anew(4, 4, bias=False), X) == (0, 1)
