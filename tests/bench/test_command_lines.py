"""What is typed wrong at a benchmark, and the arithmetic of its figures."""

import importlib

import pytest


@pytest.fixture(autouse=True)
def _bench_is_importable(monkeypatch, pytestconfig):
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "bench"))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["--nets", "notbook"], "argument --nets: invalid choice: 'notbook'"),
        (["--rounds", "0"], "argument --rounds: must be at least 1, got 0"),
        (["--threads", "two"], "argument --threads: must be a whole number, got 'two'"),
        (["--against", "no-such-branch"], "argument --against: 'no-such-branch' names no commit"),
        (["--againts", "HEAD"], "unrecognized arguments: --againts HEAD"),
    ],
)
def test_a_typing_error_is_refused_in_one_sentence(typed, sentence, capsys):
    import overhead

    with pytest.raises(SystemExit) as exit_:
        overhead.arguments(typed)
    told = capsys.readouterr().err
    assert exit_.value.code == 2
    assert told.startswith(f"error: {sentence}")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["--rounds", "-1"], "argument --rounds: must be at least 1, got -1"),
        (["--against", "nowhere"], "argument --against: 'nowhere' names no commit"),
        (["--threads", "1"], "unrecognized arguments: --threads"),
    ],
)
def test_so_does_the_benchmark_of_the_whole_process(typed, sentence, capsys):
    import whole_process

    with pytest.raises(SystemExit) as exit_:
        whole_process.arguments(typed)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        *(("kernels", each) for each in ("--threads", "--sizes", "--rounds")),
        *(("units", each) for each in ("--threads", "--rounds")),
        *(("theory", each) for each in ("--width", "--depth", "--seeds")),
        *(("report", each) for each in ("--runs", "--steps", "--depth")),
    ],
)
def test_a_number_that_nothing_can_be_measured_with_is_refused(name, typed, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", [name, typed, "0"])
    with pytest.raises(SystemExit) as exit_:
        importlib.import_module(name).main()
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f"error: argument {typed}: must be at least 1, got 0\n"


def test_a_block_that_was_held_up_in_one_round_falls_out_of_the_ratio():
    from in_turns import Ratio

    these = [[1.5, 1.5], [1.5, 9.0], [1.5, 1.5]]
    those = [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    assert Ratio.of(these, those) == Ratio(1.5, 1.5, 5.25)
    assert str(Ratio.of(these, those)) == "1.50 (1.50 to 5.25)"
    assert Ratio.of(those, these).as_change() == "-33.3 % (-81.0 to -33.3)"


def test_the_blocks_of_a_net_cover_its_steps_from_the_warm_up_on():
    from nets import NETS

    assert NETS["notebook"].block_ends == [10, *range(100, 1001, 100)]
    for net in NETS.values():
        assert net.block_ends == sorted(set(net.block_ends))


def test_each_way_and_what_it_is_compared_with_can_be_trained():
    import overhead
    import training

    assert {*overhead.BESIDE, *overhead.BESIDE.values()} == set(training.WAYS)
