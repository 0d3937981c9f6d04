"""A larger and a smaller learning rate are not asked for as equals."""

import pytest

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.findings.one_rate import AFTERWARDS, with_one_rate
from layerscope.diagnose.symptoms import A_TENTH

FASTER = "optimizer.lr=... ten times what it is; and see that a warm-up, if any, ends"


def asking(remedy, because=""):
    about = {"rule": "idle", "severity": "warning", "layer": "loss", "step": 0, "layers": 1}
    numbers = {"last_step": 9, "value": 1.0, "worst": 1.0, "threshold": 0.5}
    words = {"source": "", "explanation": "", "remedy": remedy, "because": because}
    return Finding(**about, **numbers, **words)


def remedies(*findings):
    return [finding.remedy for finding in with_one_rate(findings)]


@pytest.mark.parametrize(("first", "then"), [(A_TENTH, FASTER), (FASTER, A_TENTH)])
def test_the_second_of_two_that_contradict_each_other_is_for_later(first, then):
    assert remedies(asking(first), asking(then)) == [first, AFTERWARDS + then]


def test_what_agrees_or_asks_for_something_else_stays():
    kept = ["shuffle=True", A_TENTH, "torch.nn.init.kaiming_normal_", A_TENTH]
    assert remedies(*map(asking, kept)) == kept


@pytest.mark.parametrize("remedy", [FASTER, A_TENTH, "torch.nn.init.kaiming_normal_"])
def test_what_a_consequence_asks_for_is_for_later_and_contradicts_nothing(remedy):
    follows = asking(remedy, because="idle")
    assert remedies(asking(A_TENTH), follows) == [A_TENTH, AFTERWARDS + remedy]
    assert remedies(follows, asking(FASTER)) == [AFTERWARDS + remedy, FASTER]
    assert remedies(asking("", because="idle")) == [""]


def test_both_ways_to_try_are_no_contradiction():
    both = "optimizer.lr ten times smaller, and ten times larger: see with which the network fits"
    assert remedies(asking(A_TENTH), asking(both), asking(FASTER))[1] == both
