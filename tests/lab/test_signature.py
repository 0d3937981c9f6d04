"""Settings against the signature of what takes them."""

from collections.abc import Callable, Sequence
from typing import TypedDict, Unpack

import pytest

from layerscope.lab.signature import arguments_of, as_typed, check_arguments, check_node


class Options(TypedDict, total=False):
    speed: float


def takes(
    depth: int, names: Sequence[str] = (), call: Callable[[int], int] | None = None
) -> None: ...


def takes_options(depth: int, **options: Unpack[Options]) -> None: ...


def takes_anything(depth: int, **options: object) -> None: ...


@pytest.mark.parametrize(
    ("called", "values", "told"),
    [
        (takes, {"dept": 3}, "there is no key a.dept; did you mean a.depth?"),
        (takes, {"depth": True}, "a.depth must be a whole number, got true"),
        (takes, {"depth": 2.0}, "a.depth must be a whole number, got 2.0"),
        (takes, {"depth": None}, "a.depth must be a whole number, got null"),
        (takes, {"depth": "???"}, "a.depth must be given: it has no default"),
        (takes, {"names": "abc"}, "a.names must be a list of texts, got abc"),
        (takes, {"names": ["a", 3]}, "a.names must be a list of texts, got [a,3]"),
        (takes, {"call": 3}, "a.call must be a mapping with a _target_ (Callable) or null, got 3"),
        (takes_options, {"speed": "fast"}, "a.speed must be a number, got fast"),
        (takes_options, {"sped": 1}, "there is no key a.sped; did you mean a.speed?"),
        (takes_anything, {"depth": "x"}, "a.depth must be a whole number, got x"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_sentence(called, values, told):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared whole below
        check_arguments(called, values, "a")
    assert str(caught.value) == told


def test_what_fits_passes():
    check_arguments(takes, {"depth": 3, "names": ["a"], "call": {"_target_": "x"}})
    check_arguments(takes_options, {"depth": 3, "speed": 1})
    check_arguments(takes_anything, {"depth": 3, "whatever": 1})
    check_arguments(print, {"sep": ","})


def test_the_arguments_of_options_that_are_a_typed_dict_are_known():
    assert arguments_of(takes_options) == {"depth": int, "speed": float}


def test_an_argument_without_a_default_must_be_given_unless_the_rest_comes_later():
    node = {"_target_": "layerscope.lab.init.variance_scaling", "scale": 1.5}
    told = r"^init\.weight\.mode must be given: it has no default$"
    with pytest.raises(ValueError, match=told):
        check_node({"weight": node}, "init")
    check_node(node | {"_partial_": True}, "init")
    check_node(node | {"mode": "fan_in", "distribution": "normal"}, "init")


def test_a_node_in_a_node_is_checked_and_named_by_its_path():
    inner = {"_target_": "fractions.Fraction", "numerater": 3}
    node = {"_target_": "collections.Counter", "_partial_": True, "inner": inner}
    with pytest.raises(ValueError, match=r"^there is no key top\.inner\.numerater; did you mean"):
        check_node(node, "top", ["collections", "fractions"])


@pytest.mark.parametrize("target", ["layerscope.nothing", "nowhere.Thing", "nowhere", "", "a..b"])
def test_a_target_that_is_not_there_is_named(target):
    with pytest.raises(ValueError, match=r"^top\._target_ must be what Python can import, got "):
        check_node({"_target_": target}, "top", [target.partition(".")[0]])


def test_a_value_is_shown_as_it_is_typed():
    assert as_typed({"a": [1, None, False], "b": "x"}) == "{a:[1,null,false],b:x}"
