"""What the files of conf/init and conf/optimizer state. (tests/test_train.py trains with each.)"""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from layerscope.lab.init import InitScheme
from layerscope.lab.language_model import LanguageModel

CONF = Path(__file__).parents[2] / "conf"
default = {"data": "notebook", "model": "mlp", "init": "kaiming", "optimizer": "adamw"}
SCHEMES = sorted(path.stem for path in (CONF / "init").glob("*.yaml"))


def composed(overrides, **chosen):
    config = OmegaConf.create({"seed": 3})
    for group, name in {**default, **chosen}.items():
        content = OmegaConf.load(CONF / group / f"{name}.yaml")
        # The optimizer files are `@package _global_`: they set `optimizer` and `scheduler`.
        config = OmegaConf.merge(config, content if group == "optimizer" else {group: content})
    OmegaConf.set_struct(config, True)
    return OmegaConf.merge(config, OmegaConf.from_dotlist(overrides))


def built(config):
    data = instantiate(config.data, _convert_="all")
    data.setup()
    network = instantiate(config.model, _convert_="all")(
        embedding_rows=data.embedding_rows,
        context_length=data.context_length,
        classes=data.embedding_rows,
    )
    scheme = instantiate(config.init, _convert_="all")
    contexts, _ = next(iter(data.train_dataloader()))
    scheme(network, torch.Generator().manual_seed(config.seed), contexts)
    optimizer = instantiate(config.optimizer, _convert_="all")
    scheduler = instantiate(config.scheduler, _convert_="all")
    return LanguageModel(network, data.vocabulary, optimizer, scheduler), data


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "lsuv"])
def test_every_scheme_of_fixed_variance_takes_a_gain_a_bias_and_an_embedding_rule(name):
    overrides = ["init.gain=1.5", "init.bias_std=0.25", "init.embedding=scheme"]
    scheme = instantiate(composed(overrides, init=name).init, _convert_="all")
    assert isinstance(scheme, InitScheme)
    assert (scheme.gain, scheme.bias_std, scheme.embedding) == (1.5, 0.25, "scheme")


@pytest.mark.parametrize(
    ("name", "std"),
    [
        ("random", 1.0),
        ("kaiming", (2 / 300) ** 0.5),
        ("xavier", (1 / 300) ** 0.5),
        ("glorot", (2 / 800) ** 0.5),
        ("lecun", (1 / 300) ** 0.5),
        ("orthogonal", (1.05 / 500) ** 0.5),
        ("critical", (1.05 / 300) ** 0.5),
        ("small", 0.01),
    ],
)
def test_every_scheme_has_the_spread_that_its_file_states(name, std):
    scheme = instantiate(composed([], init=name).init, _convert_="all")
    weight = scheme.weight(300, 500, torch.Generator().manual_seed(0)) * scheme.gain
    assert weight.std().item() == pytest.approx(std, rel=0.01)
    assert scheme.bias_std == {"random": 1.0, "critical": 0.004483, "orthogonal": 0.004483}.get(
        name, 0.0
    )
    assert scheme.embedding == "unit"


def test_the_learning_rate_is_one_override_away():
    model, _ = built(composed(["optimizer.lr=0.25"], optimizer="sgd"))
    optimizer = model.make_optimizer(model.parameters())
    assert [group["lr"] for group in optimizer.param_groups] == [0.25]
