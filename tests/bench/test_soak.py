"""The soaks of a training, in a short form; their bounds hold for the long one."""

import pytest

from tests.bench.test_command_lines import _bench_is_importable  # noqa: F401


@pytest.mark.parametrize(
    ("name", "share", "held"),
    [
        ("long", 0.001, {"memory"}),
        ("deep", 0.01, {"memory of 10 watched layers"}),
        ("thinned", 0.02, {"6 layers within max_megabytes=500"}),
        ("wide", 0.001, set()),
    ],
)
def test_each_training_is_soaked_and_measured(name, share, held):
    import soak

    rows = soak.rows_of(name, share)
    assert {row.what for row in rows if row.holds} >= held
    assert all(any(letter.isdigit() for letter in row.measured) for row in rows)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["lomg"], "argument SOAK: must be one of long, deep, thinned, wide, many, tags, polled"),
        (["long", "--share", "0"], "argument --share: must be above 0 and at most 1, got 0"),
        (["--share", "nan"], "argument --share: must be above 0 and at most 1, got nan"),
    ],
)
def test_what_is_typed_wrong_is_one_sentence(typed, sentence, capsys):
    import soak

    with pytest.raises(SystemExit) as exit_:
        soak.arguments(typed)
    told = capsys.readouterr().err
    assert exit_.value.code == 2
    assert told.startswith(f"error: {sentence}")
    assert told.count("\n") == 1
