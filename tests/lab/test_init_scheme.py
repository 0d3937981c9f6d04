import re
from math import inf, nan

import pytest
import torch
from torch import nn

from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import MLP

kaiming = variance_scaling(2.0, "fan_in", "normal")


def initialised(scheme: InitScheme, seed: int = 5) -> dict[str, torch.Tensor]:
    model = MLP(embedding_rows=27, context_length=3, classes=21, depth=2, width=8)
    scheme(model, torch.Generator().manual_seed(seed))
    return model.state_dict()


def test_parameters_are_drawn_in_network_order_weight_as_fan_in_by_fan_out_then_bias():
    state = initialised(InitScheme(kaiming, gain=3.0, bias_std=0.5, embedding="scheme"))
    stream = torch.Generator().manual_seed(5)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=stream)

    table = drawn(27, 10) * (2 / 27) ** 0.5 * 3.0
    assert torch.equal(state["embedding.weight"], table)
    for key, fan_in, fan_out in (("0", 30, 8), ("2", 8, 8), ("logits", 8, 21)):
        weight = drawn(fan_in, fan_out) * (2 / fan_in) ** 0.5 * 3.0
        assert torch.equal(state[f"{key}.weight"], weight.T)
        assert torch.equal(state[f"{key}.bias"], drawn(fan_out) * 0.5)


def test_the_weights_do_not_depend_on_the_spread_of_the_biases():
    without = initialised(InitScheme(kaiming, bias_std=0.0))
    with_biases = initialised(InitScheme(kaiming, bias_std=0.1))
    for name, tensor in without.items():
        if name.endswith("bias"):
            assert torch.count_nonzero(tensor) == 0
            assert torch.count_nonzero(with_biases[name]) == tensor.numel()
        else:
            assert torch.equal(tensor, with_biases[name])


def test_a_unit_embedding_is_scaled_neither_by_the_scheme_nor_by_its_gain():
    state = initialised(InitScheme(kaiming, gain=3.0, embedding="unit"))
    stream = torch.Generator().manual_seed(5)
    assert torch.equal(state["embedding.weight"], torch.randn(27, 10, generator=stream))


def test_the_last_layers_weights_alone_are_scaled_by_logits():
    plain, scaled = initialised(InitScheme(kaiming)), initialised(InitScheme(kaiming, logits=0.1))
    for name, tensor in plain.items():
        factor = 0.1 if name == "logits.weight" else 1.0
        assert torch.equal(tensor * factor, scaled[name])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"logits": -1.0}, "logits must be a finite number of at least 0, got -1.0"),
        ({"gain": -1.0}, "gain must be a finite number of at least 0, got -1.0"),
        ({"gain": nan}, "gain must be a finite number of at least 0, got nan"),
        ({"bias_std": inf}, "bias_std must be a finite number of at least 0, got inf"),
        ({"weight": print}, "weight must be an Initializer, got a builtin_function_or_method"),
        ({"embedding": "zero"}, "embedding must be one of unit, scheme, got 'zero'"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        InitScheme(**{"weight": kaiming} | arguments)


def test_a_module_that_no_rule_covers_is_refused_and_named():
    model = nn.Sequential(nn.Linear(3, 4), nn.PReLU(4))
    sentence = (
        "InitScheme sets Embedding, Linear and norm layers, got a PReLU with parameters at '1'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        InitScheme(kaiming)(model, torch.Generator())
