"""Whoever watches a network of their own reads no key of conf/ in a remedy."""

import ast
import re
from pathlib import Path

import pytest

import layerscope.diagnose
from layerscope.diagnose.findings.in_torch import in_torch

RULES = Path(layerscope.diagnose.__file__).parent / "rules"
GROUPS = "|".join(path.name for path in (Path(__file__).parents[3] / "conf").iterdir())
KEY = re.compile(rf"\b(?:{GROUPS})(?:\.\w+)*=(?!\w+\()|\boptimizer\.\w+=\.|\binit=")
REMEDIES = sorted(
    {
        node.value
        for path in RULES.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY.search(node.value)
    }
)


def test_rules_name_keys_of_conf():
    assert len(REMEDIES) > 20


@pytest.mark.parametrize("remedy", REMEDIES)
def test_no_key_is_left_in_pytorchs_words(remedy):
    assert not KEY.search(in_torch(remedy))


def test_two_keys_beside_each_other_are_two_changes():
    assert in_torch("model.activation=tanh init=xavier: a sigmoid's slope") == (
        "nn.Tanh() and nn.init.xavier_normal_(layer.weight): a sigmoid's slope"
    )
    assert in_torch("init=orthogonal init.bias_std=0, or") == (
        "nn.init.orthogonal_(layer.weight) and nn.init.zeros_(layer.bias), or"
    )


def test_calls_of_ones_own_optimizer_stay_as_they_are():
    assert in_torch("optimizer.zero_grad() in each step") == "optimizer.zero_grad() in each step"
