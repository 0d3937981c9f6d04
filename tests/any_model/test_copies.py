"""Copies made while a network is watched are measured by nobody, and go anywhere."""

import copy
import io
import pickle
from multiprocessing.reduction import ForkingPickler

import lightning.pytorch as pl
import pytest
import torch
import torch.fx
from lightning.pytorch.callbacks import StochasticWeightAveraging
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import layerscope
from layerscope import LayerMonitor
from tests.any_model.nets import Mlp, seeded
from tests.any_model.training import fit
from tests.usual_step import descend
from tests.watching import counts


def by_torch_save(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def for_a_worker(net):
    """As a DataLoader with spawned workers sends what its dataset holds."""
    return pickle.loads(ForkingPickler.dumps(net))


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "torch.save": by_torch_save,
    "a worker": for_a_worker,
    "an average": lambda net: AveragedModel(net),
    "its state": lambda net: copy.deepcopy(net.state_dict()),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_measured_by_nobody_and_holds_nothing_of_layerscope(tmp_path, name):
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path, summary=False) as watcher:
        for step in range(4):
            made = COPIES[name](net) if step == 2 else None
            if isinstance(made, nn.Module) and name != "copy":  # which shares its modules
                made(torch.ones(3, 4)).sum().backward()
                assert b"layerscope" not in pickle.dumps(made)
            descend(watcher, optimizer, net(torch.ones(6, 4)).square().mean())
    assert watcher.failure is None
    assert counts(tmp_path, "activation/00_tanh") == dict.fromkeys(range(4), 48)


class WithStateOfItsOwn(nn.Linear):
    def __getstate__(self):
        return self.__dict__.copy()


NETS = {
    "modules": lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), WithStateOfItsOwn(8, 1)),
    "a recurrent net": lambda: nn.LSTM(4, 8),
    "a traced net": lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 8), nn.ReLU())),
}


@pytest.mark.parametrize("kind", NETS)
def test_what_is_saved_of_a_watched_net_is_to_the_byte_what_is_saved_of_any(tmp_path, kind):
    net = NETS[kind]()
    net.register_forward_hook(print)  # of the user's
    before = pickle.dumps(net)
    with layerscope.watch(net, tmp_path, summary=False) as watcher:
        assert pickle.dumps(net) == before
        output = net(torch.ones(2, 4))
        torch.save(output, io.BytesIO())  # no warning of hooks that are not saved
        watcher.step()
    assert watcher.failure is None


def test_an_average_that_is_made_meanwhile_has_the_same_bits(tmp_path):
    def train(folder=None):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        average = None
        watcher = layerscope.watch(net, folder, summary=False).start() if folder else None
        for step in range(8):
            if step == 3:
                average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
            optimizer.zero_grad()
            loss = net(torch.randn(6, 4)).square().mean()
            loss.backward()
            optimizer.step()
            if average:
                average.update_parameters(net)
                average(torch.ones(2, 4))
            if watcher:
                watcher.step(loss)
        if watcher:
            watcher.close()
        return average.state_dict()

    plain, watched = train(), train(tmp_path)
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_a_trainer_is_copied_while_it_trains(tmp_path):
    class Copying(pl.Callback):
        copies = ()

        def on_train_batch_end(self, trainer, module, *_):
            monitor = trainer.callbacks[0]
            self.copies = (copy.deepcopy(monitor), pickle.loads(pickle.dumps(monitor)))
            copy.deepcopy(module)
            copy.deepcopy(trainer.logger)

    monitor, copying = LayerMonitor(every_n_steps=2), Copying()
    fit(seeded(Mlp), tmp_path, monitor, copying)
    assert monitor.failure is None
    assert monitor.diagnosis is not None
    for made in copying.copies:
        assert made.settings == monitor.settings
        assert made.state_key == monitor.state_key
    other = tmp_path / "other"
    fit(seeded(Mlp), other, copying.copies[0])
    assert sorted(counts(other, "activation/00_tanh")) == [0, 1, 2, 3, 4]


def test_lightning_averages_weights_as_without_the_monitor(tmp_path):
    nets = [seeded(Mlp), seeded(Mlp)]
    for net, monitors, folder in zip(nets, ([], [LayerMonitor()]), "ab", strict=True):
        averaging = StochasticWeightAveraging(swa_lrs=0.01)
        fit(net, tmp_path / folder, *monitors, averaging, max_epochs=4)
        assert not any(monitor.failure for monitor in monitors)
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)


class CopiedByItself(nn.Module):
    """Its copy of what it has holds what a watcher has put on it, too."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        return self.linear(x)

    def __deepcopy__(self, memo):
        made = memo[id(self)] = type(self).__new__(type(self))
        made.__dict__ = copy.deepcopy(self.__dict__, memo)
        return made


def test_a_copy_that_a_module_made_by_itself_is_saved_as_what_it_is(tmp_path):
    net = nn.Sequential(CopiedByItself(), nn.Tanh())
    with layerscope.watch(net, tmp_path, summary=False):
        made = copy.deepcopy(net)
        nn.init.constant_(made[0].linear.weight, 7.0)
        assert pickle.loads(pickle.dumps(made))[0].linear.weight[0, 0] == 7
