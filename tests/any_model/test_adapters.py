"""Low-rank adapters beside frozen weights: each has an entry, and what is frozen is not ill."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope
from tests.usual_step import descend


class InOneModule(nn.Linear):
    """A and B are parameters of the layer itself."""

    def __init__(self, base, rank=2):
        super().__init__(base.in_features, base.out_features)
        self.weight, self.bias = base.weight, base.bias
        self.lora_a = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return super().forward(x) + x @ self.lora_a.T @ self.lora_b.T


class AsPeftHasIt(nn.Module):
    def __init__(self, base, rank=2):
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base.in_features, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, base.out_features, bias=False)})
        nn.init.zeros_(self.lora_B["default"].weight)

    def forward(self, x):
        low = self.lora_A["default"](x)
        return self.base_layer(x) + self.lora_B["default"](low)


def fine_tuned(folder, adapter):
    """A frozen network, half of whose ReLUs are dead, with an adapter for its last layer."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)).requires_grad_(False)
    network[0].bias[:16] = -100
    network[2] = adapter(network[2])
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], 1e-2)
    with layerscope.watch(network, folder, images=False, summary=False) as watcher:
        for _ in range(100):
            x = torch.randn(64, 8)
            descend(watcher, optimizer, F.cross_entropy(network(x), x[:, :4].argmax(1)))
    assert watcher.failure is None
    assert [finding.rule for finding in watcher.findings if finding.severity != "note"] == []
    return {facts.name: facts.trainable for facts in layerscope.read(folder).figures.layers}


def test_a_and_b_of_an_adapter_in_one_module_have_entries_of_their_own(tmp_path):
    assert fine_tuned(tmp_path, InOneModule) == {
        "00_relu": False,
        "01_inonemodule": False,
        "01_inonemodule.lora_a": True,
        "01_inonemodule.lora_b": True,
    }


def test_a_and_b_of_an_adapter_of_modules_are_layers_beside_the_frozen_one(tmp_path):
    layers = fine_tuned(tmp_path, AsPeftHasIt)
    a, b = (name for name, trained in layers.items() if trained)
    assert a.endswith("lora_A.default")
    assert b.endswith("lora_B.default")
    assert len(layers) == 4
