"""docs/lesson/makemore_part3.md says what was measured; its exercise E02 in small."""

import json

import torch

from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import MLP
from scripts.measure_makemore import FOLDER, IN_ORDER, ONE_AT_A_TIME, folded, page

DATA = json.loads((FOLDER / "makemore_part3.json").read_text(encoding="utf-8"))


def test_the_page_is_the_one_of_the_data():
    assert (FOLDER / "makemore_part3.md").read_text(encoding="utf-8") == page(DATA)
    assert list(DATA["rows"]) == [*IN_ORDER, *ONE_AT_A_TIME]


def test_of_a_network_of_zeros_the_last_bias_alone_moves_and_learns_the_frequencies():
    assert DATA["zero"]["moved"] == ["logits.bias"]
    assert abs(DATA["zero"]["end"] - DATA["frequencies"]) < 0.01


def test_a_folded_batch_norm_leaves_the_logits_as_they_were():
    net = MLP(27, 3, 27, depth=2, width=20, norm="batch")
    InitScheme(variance_scaling(1.0, "fan_in", "normal"), bias_std=0.5)(
        net, torch.Generator().manual_seed(0)
    )
    contexts = torch.randint(27, (64, 3), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        net(contexts)  # in training: the running averages move
        for module in net:
            if isinstance(module, torch.nn.BatchNorm1d):
                module.weight.uniform_(0.5, 2)
                module.bias.uniform_(-1, 1)
        net.eval()
        torch.testing.assert_close(folded(net)(contexts), net(contexts), rtol=1e-4, atol=1e-5)
