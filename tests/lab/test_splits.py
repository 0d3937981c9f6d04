import pytest

from layerscope.lab.data.splits import split_80_10_10

ITEMS = [f"item {number}" for number in range(100)]


def test_80_10_and_10_percent_and_no_item_in_two_splits():
    splits = split_80_10_10(ITEMS, seed=3, source="here")
    assert (len(splits.train), len(splits.val), len(splits.test)) == (80, 10, 10)
    assert sorted([*splits.train, *splits.val, *splits.test]) == sorted(ITEMS)


def test_a_repeated_item_counts_once():
    splits = split_80_10_10(ITEMS * 3, seed=3, source="here")
    assert splits == split_80_10_10(ITEMS, seed=3, source="here")


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_the_items():
    splits = split_80_10_10(ITEMS, seed=3, source="here")
    assert split_80_10_10(ITEMS[::-1], seed=3, source="here") == splits
    assert split_80_10_10(ITEMS, seed=4, source="here") != splits


def test_six_items_are_the_fewest_that_leave_no_split_empty():
    splits = split_80_10_10("abcdef", seed=0, source="here")
    assert min(map(len, (splits.train, splits.val, splits.test))) == 1
    with pytest.raises(
        ValueError,
        match=r"^here must hold at least 6 different items, so that no split of 80/10/10 is empty, "
        r"got 5$",
    ):
        split_80_10_10("abcdea", seed=0, source="here")
