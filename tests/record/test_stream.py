"""The residual stream, against what the networks' own code adds."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.events.reader import read_run
from layerscope.record.stream import repeated_blocks
from layerscope.sinks.figures_event import figures_of
from tests.watching import watch_loop

WIDTH = 12


class Noting(nn.Module):
    """Adds, and notes what: (stream before, branch, stream after) as they were."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def add(self, stream, branch):
        before, added = stream.detach().clone(), branch.detach().clone()
        after = stream + branch
        self.notes.append((before, added, after.detach().clone()))
        return after


class PreNorm(Noting):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 24), nn.Linear(24, 12)
        self.mixed, self.scale = nn.Linear(WIDTH, WIDTH), nn.Parameter(torch.full((WIDTH,), 0.1))

    def forward(self, x):
        x = self.add(x, self.scale * self.mixed(F.layer_norm(x, (WIDTH,))))
        return self.add(x, F.dropout(self.down(F.gelu(self.up(self.norm(x)))), 0.2))


class PostNorm(PreNorm):
    def forward(self, x):
        x = self.norm(self.add(x, self.mixed(x)))
        return F.layer_norm(self.add(x, self.down(torch.relu(self.up(x)))), (WIDTH,))


class InPlace(PreNorm):
    def forward(self, x):
        branch = self.mixed(self.norm(x))
        before, added = x.detach().clone(), branch.detach().clone()
        x = x.clone()
        x += branch
        self.notes.append((before, added, x.detach().clone()))
        return x


class OwnNorm(PreNorm):
    """RMS norm by hand, the block's input by name, and a tuple as output."""

    def forward(self, *, hidden):
        normed = hidden * torch.rsqrt(hidden.float().pow(2).mean(-1, keepdim=True) + 1e-6)
        before, branch = hidden.detach().clone(), self.down(self.up(normed))
        after = branch + hidden
        self.notes.append((before, branch.detach().clone(), after.detach().clone()))
        return after, None


class Convolutional(Noting):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH)

    def forward(self, x):
        return torch.relu(self.add(x, self.norm(self.conv(x))))


class Stack(nn.Module):
    def __init__(self, block, shape=(4, 5, WIDTH)):
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.blocks = nn.ModuleList([block() for _ in range(3)])
        self.shape = shape

    def forward(self, x):
        x = self.first(x)
        if len(self.shape) > 3:
            x = x.transpose(1, -1)
        for block in self.blocks:
            x = block(hidden=x)[0] if isinstance(block, OwnNorm) else block(x)
        return x

    def notes(self):
        return [note for block in self.blocks for note in block.notes]


class AddedOutside(Noting):
    """Blocks that are branches: the caller adds, and normalises before."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH) for _ in range(3)])
        self.blocks = nn.ModuleList([nn.LSTM(WIDTH, WIDTH, batch_first=True) for _ in range(3)])
        self.first = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        x = self.first(x)
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = self.add(x, block(norm(x))[0])
        return x


def trained(network, folder, steps=3, shape=(4, 5, WIDTH)):
    """The figures of a run, and those that the network's own notes make of its last step."""
    torch.manual_seed(0)
    adam = torch.optim.Adam(network.parameters(), 1e-2)
    noting = [module for module in network.modules() if isinstance(module, Noting)]

    def forget(step, net):
        for each in noting:
            each.notes.clear()

    watcher = watch_loop(
        network, folder, steps, lambda step: (torch.randn(shape),), before=forget, optimizer=adam
    )
    assert watcher.failure is None
    return figures_of(read_run(folder)), [note for each in noting for note in each.notes]


def rms(tensor):
    return math.sqrt(tensor.double().square().mean())


@pytest.mark.parametrize("block", [PreNorm, PostNorm, InPlace, OwnNorm, Convolutional, None])
def test_the_stream_and_its_branches_are_those_that_the_network_adds(tmp_path, block):
    shape = (4, 3, 3, WIDTH) if block is Convolutional else (4, 5, WIDTH)
    network = AddedOutside() if block is None else Stack(block, shape)
    figures, notes = trained(network, tmp_path, shape=shape)
    entries = [at for at, facts in enumerate(figures.layers) if facts.stream]
    entries.sort(key=lambda at: figures.layers[at].stream_depth)
    each = 2 if block in (PreNorm, PostNorm) else 1
    assert [figures.layers[at].path for at in entries] == [
        f"blocks.{number}" for number in range(3) for _ in range(each)
    ]
    assert {figures.layers[at].stream for at in entries} == {"blocks"}
    assert len(notes) == len(entries)
    for at, (before, branch, after) in zip(entries, notes, strict=True):
        assert figures["stream_rms"][-1, at] == pytest.approx(rms(after), rel=1e-5)
        expected = rms(branch) / rms(before)
        assert figures["branch_to_stream"][-1, at] == pytest.approx(expected, rel=1e-5)


def test_outliers_are_counted_and_their_channel_named(tmp_path):
    class Spiked(PreNorm):
        def forward(self, x):
            branch = self.mixed(x)
            far = torch.zeros_like(branch)
            far[0, :3, 7] = 1000.0
            return self.add(x, branch + far)

    figures, notes = trained(Stack(Spiked, (64, 5, WIDTH)), tmp_path, shape=(64, 5, WIDTH))
    (at,) = [
        i for i, facts in enumerate(figures.layers) if facts.path == "blocks.0" and facts.stream
    ]
    after = notes[0][2].abs()
    share = (after > 10 * rms(after)).double().mean().item()
    assert share == pytest.approx(3 / after.numel())
    assert figures["outlier_share"][-1, at] == pytest.approx(share)
    assert figures["outlier_channel"][-1, at] == 7


class Plain(PreNorm):
    """No residual; a table of positions is added, which is no branch."""

    def __init__(self):
        super().__init__()
        self.positions = torch.randn(4, 5, WIDTH)

    def forward(self, x):
        return self.down(F.gelu(self.up(x + self.positions)))


def test_blocks_without_a_residual_have_no_stream(tmp_path):
    figures, _ = trained(Stack(Plain), tmp_path)
    assert not any(facts.stream for facts in figures.layers)
    assert np.isnan(figures["stream_rms"]).all()


class LaterResidual(PreNorm):
    """A block that adds its branch from a call on that it is told."""

    calls_before = 0

    def forward(self, x):
        self.calls_before -= 1
        return super().forward(x) if self.calls_before < 0 else self.down(F.gelu(self.up(x)))


@pytest.mark.parametrize(("before", "seen_at"), [(5, 6), (12, 16)])
def test_a_stream_that_begins_later_is_seen_where_all_modules_are_searched(
    tmp_path, before, seen_at
):
    network = Stack(LaterResidual)
    for block in network.blocks:
        block.calls_before = before
    figures, _ = trained(network, tmp_path, steps=24)
    seen = np.isfinite(figures["stream_rms"]).any(axis=1)
    assert int(np.flatnonzero(seen)[0]) == seen_at


class MadeOfItself(Stack):
    """What the blocks are given was made of itself, by a call that returns what it was given."""

    def forward(self, x):
        x = self.first(x).contiguous()
        for block in self.blocks:
            x = block(x)
        return x


def test_a_block_may_be_given_what_was_made_of_itself(tmp_path):
    figures, _ = trained(MadeOfItself(PreNorm), tmp_path, steps=1)
    assert np.isfinite(figures["stream_rms"]).any()


def test_blocks_are_modules_of_which_lists_have_three():
    network = nn.ModuleDict(
        {
            "stages": nn.Sequential(*(nn.Sequential(PreNorm(), PreNorm()) for _ in range(2))),
            "pair": nn.ModuleList([nn.Tanh(), nn.Tanh()]),
            "alone": nn.Linear(3, 3),
        }
    )
    assert list(repeated_blocks(network).values()) == [
        f"stages.{stage}.{block}" for stage in range(2) for block in range(2)
    ]


def test_training_is_the_same_and_nothing_is_left_on_the_blocks(tmp_path):
    def weights(watched):
        torch.manual_seed(1)
        network = Stack(PreNorm)
        trained(network, tmp_path, steps=4) if watched else plainly(network)
        assert not any(block._forward_hooks for block in network.blocks)
        return [parameter.detach().clone() for parameter in network.parameters()]

    def plainly(network):
        torch.manual_seed(0)
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        for _ in range(4):
            loss = network(torch.randn(4, 5, WIDTH)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    assert all(map(torch.equal, weights(watched=True), weights(watched=False)))
