"""docs/lesson/claims.md says what claims.json beside it says, and that can be measured again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from layerscope.comparison.estimate import Estimate, estimate
from scripts.course_claims import CLAIMS, VALUES
from scripts.measure_claims import FOLDER, effect, page, verdict

DATA = json.loads((FOLDER / "claims.json").read_text(encoding="utf-8"))


def test_the_page_is_the_one_of_the_data():
    assert (FOLDER / "claims.md").read_text(encoding="utf-8") == page(DATA)


def test_every_claim_is_measured_with_at_least_16_seeds():
    assert len(DATA["seeds"]) >= 16
    assert [claim.name for claim in CLAIMS] == list(VALUES) == list(DATA["values"])
    assert {len(values) for values in DATA["values"].values()} == {len(DATA["seeds"])}


def test_what_does_not_hold_has_a_reason_of_at_most_two_sentences():
    for claim in CLAIMS:
        if verdict(claim, estimate(DATA["values"][claim.name])) != "holds":
            assert 1 <= claim.why.count(". ") + 1 <= 2, claim.name


@pytest.mark.parametrize(
    "name", [claim.name for claim in CLAIMS if claim.source.startswith("notebook")][:8]
)
def test_the_numbers_of_two_seeds_come_out_again(name):
    (claim,) = (each for each in CLAIMS if each.name == name)
    np.testing.assert_allclose(claim.values((0, 1)), DATA["values"][name][:2], rtol=2e-3)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.2, 0.4, "holds"), (0.35, 0.5, "does not hold"), (0.25, 0.5, "cannot tell")],
)
def test_a_claim_holds_where_the_whole_interval_is_within_its_bounds(low, high, told):
    claim = replace(CLAIMS[0], low=low, high=high)
    assert verdict(claim, Estimate(0.26, 0.21, 0.31, 16)) == told


def test_the_effect_is_how_far_the_median_is_beyond_the_nearer_bound():
    claim = replace(CLAIMS[0], low=0.6, high=0.8)
    assert effect(claim, 0.7) == "within"
    assert effect(claim, 0.3) == "0.5 times the bound"
    assert effect(claim, 1.6) == "2 times the bound"
    assert effect(replace(claim, low=0.0), -2.5) == "-2.5"
