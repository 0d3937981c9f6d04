"""What is sure of itself from training on something else has not started so."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope

CLASSES, FEATURES = 20, 16


def steps(network, of_label, count, watcher=None):
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(count):
        x = torch.randn(256, FEATURES)
        loss = F.cross_entropy(network(x), of_label[(x @ CENTRES.T).argmax(1)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watcher is not None:
            watcher.step(loss)


CENTRES = torch.randn(CLASSES, FEATURES, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("normalised", "new_head", "severity"),
    [(True, False, None), (False, False, "warning"), (True, True, "warning")],
    ids=["trained", "nothing tells", "a head too large"],
)
def test_a_network_that_is_tuned_to_other_labels_is_not_told_of_its_first_loss(
    normalised, new_head, severity, tmp_path
):
    torch.manual_seed(0)
    norm = nn.LayerNorm(64) if normalised else nn.Identity()
    network = nn.Sequential(nn.Linear(FEATURES, 64), norm, nn.ReLU(), nn.Linear(64, CLASSES))
    steps(network, torch.arange(CLASSES), 150)
    if new_head:
        nn.init.normal_(network[3].weight)
    with layerscope.watch(network, tmp_path, images=False, summary=False) as watcher:
        steps(network, torch.arange(CLASSES).roll(1), 8, watcher)
    told = [each.severity for each in watcher.findings if each.rule == "overconfident_start"]
    assert told == [severity] * (severity is not None)
