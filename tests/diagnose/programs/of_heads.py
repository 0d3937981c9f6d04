"""Programs that fine-tune a part of a network, and freeze its new head with the rest."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, program


def pretrained(model, x, y):
    """The same network, after some steps on another task."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for before, label in batches(x, y, steps=60):
        optimizer.zero_grad()
        F.cross_entropy(model(before), label).backward()
        optimizer.step()
    return model


def new_head(inputs, outputs):
    """As a library makes one."""
    head = nn.Linear(inputs, outputs)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head


class Adapted(nn.Module):
    """A linear layer with two small matrices beside it, the second of which starts at zero."""

    def __init__(self, layer, rank=4):
        super().__init__()
        self.layer = layer
        self.lora_a = nn.Parameter(0.1 * torch.randn(rank, layer.in_features))
        self.lora_b = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x):
        return self.layer(x) + x @ self.lora_a.T @ self.lora_b.T


@program("frozen_untrained")
def adapters_are_all_that_is_trained(mended, watch):
    x, y = toys.blobs(classes=6, features=16)
    model = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
    pretrained(nn.Sequential(*model, nn.Linear(48, 6)), x, y)
    model = nn.Sequential(Adapted(model[0]), nn.ReLU(), Adapted(model[2]), nn.ReLU())
    model.append(new_head(48, 3))
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "lora" in name or (mended and name.startswith("4"))
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    fit(watch, model, optimizer, batches(x, y % 3, steps=120), cross_entropy)


@program("frozen_untrained")
def norms_are_all_that_is_trained(mended, watch):
    x, y = toys.pictures()
    layers = []
    for channels in (1, 12):
        layers += [nn.Conv2d(channels, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU()]
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
    pretrained(nn.Sequential(body, nn.Linear(48, 4)), x, y)
    body.requires_grad_(False)
    for module in body:
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(True)
    model = nn.Sequential(body, new_head(48, 2).requires_grad_(mended))
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y % 2, steps=120), cross_entropy)


@program("frozen_untrained")
def the_last_block_is_all_that_is_trained(mended, watch):
    x, y = toys.pictures()
    blocks = [
        nn.Sequential(nn.Conv2d(inputs, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        for inputs in (1, 16, 16)
    ]
    model = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 4))
    pretrained(model, x, y)
    model[5] = nn.Linear(64, 8)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(("2", "5") if mended else "2")
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)


@program("not_optimized")
def the_new_head_of_an_optimizer_is_frozen_with_the_rest(mended, watch):
    x, y = toys.pictures()
    layers = []
    for channels in (1, 12):
        layers += [nn.Conv2d(channels, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 4))
    pretrained(model, x, y)
    model[-1] = nn.Linear(48, 2)
    optimizer = torch.optim.Adam(model[-1].parameters(), lr=3e-3)
    for module in model:
        module.requires_grad_(isinstance(module, nn.BatchNorm2d) and not mended)
    model[-1].requires_grad_(mended)
    fit(watch, model, optimizer, batches(x, y % 2, steps=120), cross_entropy)


@program("frozen_untrained")
def a_new_head_is_frozen_by_the_name_that_all_share(mended, watch):
    x, y = toys.blobs(classes=6, features=16)
    body = nn.Sequential(nn.Linear(16, 48), nn.LayerNorm(48), nn.ReLU(), nn.Linear(48, 48))
    pretrained(nn.Sequential(body, nn.ReLU(), nn.Linear(48, 6)), x, y)
    model = nn.Sequential(body, nn.ReLU(), new_head(48, 3))
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.05, momentum=0.9)
    for name, parameter in model.named_parameters():
        frozen = ("weight", "bias") if not name.startswith("0.1") else ()
        parameter.requires_grad = name.startswith("2") if mended else not name.endswith(frozen)
    fit(watch, model, optimizer, batches(x, y % 3, steps=120), cross_entropy)
