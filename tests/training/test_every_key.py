"""Every key of conf/ with what cannot be meant, in one process: a new key is covered by itself."""

import copy
import math
from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import OmegaConf, open_dict

from layerscope.lab.signature import arguments_of, as_typed, check_node
from layerscope.lab.sweep.fingerprint import settings_of
from layerscope.lab.type_hints import fits
from layerscope.training.check import check_settings
from layerscope.training.run_settings import RunSettings
from layerscope.training.start import groups_in

CONF = Path(__file__).parents[2] / "conf"
CHOICES = [
    (group, choice)
    for group, choices in groups_in(CONF).items()
    for choice in choices
    if "/" not in group and group not in ("search", "experiment")  # which choose among these
]
NOT_MEANT = {  # instead of what is there, by its type
    bool: (3, "abc", None, [], math.nan),
    int: (True, "abc", [], {"a": 1}, math.nan, 10**30),
    float: (True, "abc", [], {"a": 1}, math.inf, -math.inf, 10**30),
    str: (True, 0.5, [], {"a": 1}, math.nan),
    list: (True, 0.5, {"a": 1}, math.nan),
    dict: (True, 0.5, "abc", [], math.nan),
    type(None): (math.nan, 10**30, {"a": 1}),
}


@cache
def default():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", ["folder=x"])


def settings(group, choice):
    """Of the default config with another choice in one group."""
    file = CONF / group / f"{choice}.yaml"
    content = OmegaConf.load(file)
    if content.pop("defaults", None):
        content = OmegaConf.merge(default()[group], content)
    if "@package _global_" not in file.read_text():
        content = {group: content}
    config = copy.deepcopy(default())
    with open_dict(config):
        config.update(content)
        if OmegaConf.is_missing(config.data, "path"):
            config.data.path = "x"
    return settings_of(config)


def keys(node, path):
    """The path of each key below a node, the node that it is in, and what takes it."""
    called = get_object(node["_target_"])
    for key, value in node.items():
        if not key.startswith("_"):
            yield f"{path}.{key}", node, key, called
        if isinstance(value, dict) and "_target_" in value:
            yield from keys(value, f"{path}.{key}")


def refused(check, key, value, node, name):
    """The sentence that refuses a value at a place; what was there is put back."""
    before = node[name]
    node[name] = value
    try:
        check()
    except ValueError as error:
        return str(error)
    finally:
        node[name] = before
    return f"{key}={as_typed(value)} was accepted"


def wrong_values(value, called, name):
    """What cannot be meant, but for what the signature takes there besides."""
    hint = arguments_of(called)[name]
    for wrong in NOT_MEANT[type(value)]:
        number = (isinstance(wrong, float) and not math.isfinite(wrong)) or wrong == 10**30
        if number or not fits(wrong, hint):
            yield wrong


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_no_key_of_a_group_takes_what_cannot_be_meant(group, choice):
    node = settings(group, choice)[group]
    if not isinstance(node, dict):  # monitor=none
        return
    tried = 0
    for key, inner, name, called in keys(node, group):
        for wrong in wrong_values(inner[name], called, name):
            told = refused(lambda: check_node(node, group), key, wrong, inner, name)
            assert told.startswith(f"{key} must be "), told
            assert told.endswith(f", got {as_typed(wrong)}"), told
            tried += 1
    assert tried >= 2 * len(list(keys(node, group)))


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_a_key_that_there_is_not_is_named_with_the_nearest(group, choice):
    node = settings(group, choice)[group]
    if not isinstance(node, dict):
        return
    for key, inner, name, _ in keys(node, group):
        inner[f"{name}x"] = inner[name]
        with pytest.raises(ValueError, match=f"^there is no key {key}x; did you mean {group}"):
            check_node(node, group)
        del inner[f"{name}x"]


def test_no_key_at_the_top_takes_what_cannot_be_meant():
    whole = settings_of(default())
    for key, value in whole.items():
        for wrong in wrong_values(value, RunSettings, key):
            told = refused(lambda: check_settings(whole), key, wrong, whole, key)
            assert told.startswith(f"{key} must be ")
            assert told.endswith(f", got {as_typed(wrong)}")
