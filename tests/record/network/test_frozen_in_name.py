import torch
from torch import nn

from layerscope.record.network.two_modes import frozen_in_name
from tests.watching import watch_loop


def network():
    return nn.Sequential(nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 2))


def test_modules_are_told_and_parameters_are_not():
    made = network()
    made[1].weight.requires_grad = False
    made[0].requires_grad_(False)
    assert frozen_in_name(made) == {}
    made[0].requires_grad = True
    assert frozen_in_name(made) == {}
    made[0].requires_grad = False
    assert frozen_in_name(made) == {id(made[0][0].weight): "0", id(made[0][0].bias): "0"}
    made.requires_grad = False
    assert frozen_in_name(made) == dict.fromkeys(map(id, made.parameters()), "")


def trained(made, parameters, folder):
    watcher = watch_loop(made, folder, 30, optimizer=torch.optim.SGD(parameters, lr=0.01))
    return [(each.rule, each.layer) for each in watcher.findings if each.rule == "not_frozen"]


def test_what_an_optimizer_trains_all_the_same_is_told(tmp_path):
    made = network()
    made[0].requires_grad = False
    assert trained(made, made.parameters(), tmp_path / "all") == [("not_frozen", "00_tanh")]
    made = network()
    made[0].requires_grad = False
    assert trained(made, made[1].parameters(), tmp_path / "head") == []
