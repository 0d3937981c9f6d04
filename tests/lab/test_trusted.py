"""A config names only code that its reader trusts."""

from pathlib import PurePath

import pytest
from torch import nn

from layerscope.lab.signature import check_node
from layerscope.lab.trusted import resolve_trusted


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "builtins.open", "sympy.sympify", "torch.load", "torch.hub.load",
        "torchvision.x", "torch.nnx.Linear", "numpy.f2py.compile", "lightning_fake.Trainer",
        "pathlib.Path.unlink", "", 3, None,
    ],
)  # fmt: skip
def test_a_target_outside_the_trusted_packages_is_refused_before_it_is_imported(target):
    with pytest.raises(
        ValueError, match=r"^model\._target_ must be a class of layerscope, .*, got "
    ):
        resolve_trusted(target, "model._target_")


@pytest.mark.parametrize(
    "target",
    [
        "torch.nn.modules.module.warnings.warn",  # another's function behind a trusted name
        "torch.optim.optimizer.torch.load",
        "torch.nn.modules.container.OrderedDict",
        "layerscope.whole_file.Path",
        "lightning.pytorch.LightningModule.load_from_checkpoint",  # unpickles
        "torch.nn.init.normal_",  # a function
    ],
)
def test_what_a_trusted_package_only_passes_on_is_refused(target):
    with pytest.raises(ValueError, match=r"^model\._target_ must be a class of .*, got "):
        check_node({"_target_": target}, "model")


def test_what_is_trusted_by_name_may_be_named():
    assert resolve_trusted("pathlib.PurePath", "model._target_", ["pathlib"]) is PurePath
    check_node({"_target_": "pathlib.PurePath"}, "model", ["pathlib"])
    with pytest.raises(ValueError, match=r"trust=\[os\] allows it"):
        resolve_trusted("os.system", "model._target_", ["pathlib"])


def test_a_class_of_torch_is_trusted_wherever_in_the_package_it_was_defined():
    assert resolve_trusted("torch.nn.Linear", "model._target_") is nn.Linear
    check_node({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1}, "optimizer")


def test_a_target_in_a_list_is_checked_too():
    node = {"callbacks": [{"_target_": "torch.nn.ReLU"}, {"a": {"_target_": "os.getcwd"}}]}
    with pytest.raises(ValueError, match=r"^trainer\.callbacks\[1\]\.a\._target_ must be"):
        check_node(node, "trainer")
