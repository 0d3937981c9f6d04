"""torch scripts, exports and runs its fused kernels on a watched net as on any other."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import layerscope
from tests.watching import counts, hooks_on, watch_loop

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning"),
]

X = torch.ones(1, 4)


def in_evaluation_mode(work):
    def works(net):
        net.eval()
        work(net)
        net.train()

    return works


def saved_and_loaded(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


WAYS = {
    "scripted": torch.jit.script,
    "scripted in evaluation mode": in_evaluation_mode(torch.jit.script),
    "a part scripted": lambda net: torch.jit.script(net[0]),
    "scripted by a parent": lambda net: torch.jit.script(nn.Sequential(net, nn.Linear(1, 1))),
    "a copy scripted": lambda net: torch.jit.script(copy.deepcopy(net)),
    "an average scripted": lambda net: torch.jit.script(AveragedModel(net).module),
    "a saved net scripted": lambda net: torch.jit.script(saved_and_loaded(net)),
    "traced": in_evaluation_mode(lambda net: torch.jit.trace(net, X)),
    "exported": lambda net: torch.export.export(net, (X,)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_watched_net_is_exported_as_any_other_and_measured_on(tmp_path, way):
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    watcher = watch_loop(
        net, tmp_path, 6, before=lambda step, net: WAYS[way](net) if step == 3 else None
    )
    assert watcher.failure is None
    assert watcher.diagnosis["not_measured"] == []
    assert counts(tmp_path, "activation/00_tanh") == dict.fromkeys(range(6), 48)
    assert hooks_on(net) == 0
    for module in net.modules():
        assert not {"__prepare_scriptable__", "__reduce_ex__"} & set(vars(module))


def test_nothing_is_put_on_torch_s_own_class(tmp_path):
    before = dict(vars(nn.Module))
    with layerscope.watch(nn.Sequential(nn.Linear(4, 8)), tmp_path, summary=False):
        assert dict(vars(nn.Module)) == before


def test_a_script_is_the_same_as_that_of_a_net_that_is_not_watched(tmp_path):
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    with layerscope.watch(net, tmp_path, summary=False):
        assert torch.jit.script(net).code == torch.jit.script(copy.deepcopy(net)).code
    assert torch.equal(torch.jit.script(net)(X), net(X))


class Headed(nn.Module):
    """A trained head on a frozen encoder."""

    def __init__(self, nested=False):
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested)
        self.head = nn.Linear(16, 3)
        self.encode = self.encoder

    def forward(self, x):
        self.encoder.eval()  # whatever a trainer has set before
        return self.head(self.encode(x).mean(1))


class Frozen(Headed):
    def __init__(self, nested=False):
        super().__init__(nested)
        self.encoder.requires_grad_(False)


class WithoutGradients(Headed):
    """Its parameters could be trained: the graph ends at the head."""

    def forward(self, x):
        self.encoder.eval()
        with torch.no_grad():
            code = self.encoder(x)
        return self.head(code.mean(1))


class Padded(Frozen):
    """torch makes nested tensors of padded sequences for its kernel, and only for that."""

    def __init__(self):
        super().__init__(nested=True)

    def forward(self, x):
        self.encoder.eval()
        padding = torch.arange(5) >= torch.tensor([[5], [3], [2], [4]])
        return self.head(self.encoder(x, src_key_padding_mask=padding).sum(1))


class Bare(Frozen):
    """One layer without an encoder around it, which the network calls by itself."""

    def __init__(self):
        super().__init__()
        self.encode = self.encoder.layers[0]


def train(net, folder=None, steps=12):
    optimizer = torch.optim.SGD(net.head.parameters(), 0.5)
    generator = torch.Generator().manual_seed(1)

    def go(watcher):
        for _ in range(steps):
            x = torch.randn(4, 5, 16, generator=generator)
            optimizer.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            if watcher:
                watcher.step(loss)

    if folder is None:
        go(None)
        return None
    with layerscope.watch(net, folder, summary=False, images=False) as watcher:
        go(watcher)
    return watcher


@pytest.mark.parametrize("kind", [Frozen, WithoutGradients, Padded, Bare])
def test_a_frozen_encoder_gives_the_same_bits_watched_or_not(tmp_path, kind):
    plain, watched = kind(), kind()
    train(plain)
    watcher = train(watched, tmp_path)
    assert watcher.failure is None
    assert torch.equal(plain.head.weight, watched.head.weight)
    assert len(counts(tmp_path, "activation/" + next_tag(watcher, "head"))) == 12
    assert hooks_on(watched) == 0
    assert any("encoder" in each["layer"] for each in watcher.diagnosis["not_measured"])


def next_tag(watcher, end):
    layers = watcher.diagnosis["steps"][0]["layers"]
    return next(each["layer"] for each in layers if each["layer"].endswith(end))


def test_an_encoder_that_learns_is_measured_whole(tmp_path):
    net = Headed()
    net.encoder.eval = lambda: net.encoder.train(False)
    watcher = train(net, tmp_path, 3)
    assert watcher.diagnosis["not_measured"] == []
