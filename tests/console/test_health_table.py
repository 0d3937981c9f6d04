from itertools import takewhile

import pytest
from rich.cells import cell_len
from rich.console import Console

from layerscope.console.health_table import health_table
from tests.made_findings import finding
from tests.runs import HOSTILE


def layer(name, gradient=1e-4, predicted=None, **activation):
    figures = {"mean": 0.01, "std": 0.74, "saturated": 0.034, "nonfinite": 0, "zeros": 0.0}
    entry = {
        "layer": name,
        "activation": figures | activation,
        "activation_grad": {"rms": gradient},
        "weight_grad": {"rms": 0.0123},
    }
    return entry | ({} if predicted is None else {"predicted": predicted})


def diagnosis(*steps, findings=()):
    return {
        "findings": [each.as_json() for each in findings],
        "steps": [{"step": step, "layers": layers} for step, layers in steps],
    }


def expected(std=0.75, gradient=1.0):
    return {"std": std, "activation_grad": gradient, "mean": 0.0, "saturated": 0.03}


def predicted_run():
    """An embedding, two hidden layers and logits; at step 0 and, without predictions, at 99."""
    first = [
        layer("00_embedding", gradient=8e-4),
        layer("01_tanh", gradient=3e-4, predicted=expected(0.75, 1.4)),
        layer("02_tanh", gradient=2e-4, predicted=expected(0.00055, 1.0), std=0.00058),
        layer("03_logits", gradient=6e-4),
    ]
    last = [
        layer("00_embedding", gradient=4e-5),
        layer("01_tanh", gradient=3e-5),
        layer("02_tanh", gradient=1e-5),
        layer("03_logits", gradient=5e-5),
    ]
    return diagnosis((0, first), (99, last))


def printed(content, width=100):
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(health_table(content))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_layer_has_its_worst_finding_and_no_other_judgement():
    layers = [layer("01_tanh", saturated=0.9), layer("02_tanh"), layer("03_tanh")]
    found = [
        finding(severity="critical", layer_names=("01_tanh",), step=0, last_step=99),
        finding(
            severity="warning",
            rule="idle",
            step=0,
            layer_names=("01_tanh", "02_tanh"),
            layer_steps=(0, 5),
        ),
    ]
    lines = printed(diagnosis((0, layers), (99, layers), findings=found))
    first, last = cells(lines, "01_tanh")
    assert first[-4:] == last[-4:] == ["✗", "saturated", "from", "0"]
    assert [row[-1] for row in cells(lines, "03_tanh")] == ["–", "–"]
    at_first, at_last = cells(lines, "02_tanh")
    assert at_first[-1] == "–"  # there it began at step 5
    assert at_last[-3:] == ["!", "idle", "5–12"]


def test_what_becomes_of_the_gradient_is_said_below():
    words = " ".join(" ".join(printed(predicted_run())).split())
    assert "Step 0: the gradient grows toward the input, by a factor of 1.5 a layer (02" in words


def test_weight_gradients_stand_beside_those_of_the_outputs():
    lines = printed(diagnosis((0, [layer("01_tanh")]), (99, [layer("01_tanh")])), 80)
    assert cells(lines, "01_tanh")[0][4:6] == ["1.0e-04", "0.012"]


def cells(lines, name):
    """Of a layer's rows, above the sentence on the gradient."""
    rows = takewhile(lambda line: not line.startswith("Step "), lines)
    return [line.split() for line in rows if line.startswith(name)]


def test_without_a_prediction_gradients_are_as_measured_and_there_are_no_brackets():
    lines = printed(diagnosis((0, [layer("01_tanh")]), (99, [layer("01_tanh")])), 80)
    assert cells(lines, "01_tanh")[0][:5] == ["01_tanh", "+0.01", "0.74", "3.4%", "1.0e-04"]
    assert "(" not in "".join(lines)


def test_what_theory_expects_stands_in_brackets_beside_what_was_measured_at_step_0():
    at_first, at_last = cells(printed(predicted_run()), "01_tanh")
    assert at_first[2:7] == ["0.74", "(0.75)", "3.4%", "1.5", "(1.4)"]
    assert at_last[2:5] == ["0.74", "3.4%", "3"]
    assert "(" not in "".join(at_last)


def test_gradients_are_multiples_of_the_last_hidden_layers_where_there_is_a_prediction():
    lines = printed(predicted_run())
    for name, multiples in (("00_embedding", ["4", "4"]), ("03_logits", ["3", "5"])):
        assert [row[4] for row in cells(lines, name)] == multiples
    at_first, at_last = cells(lines, "02_tanh")
    assert at_first[2:7] == ["5.8e-4", "(5.5e-4)", "3.4%", "1", "(1)"]
    assert at_last[4] == "1"


def test_the_caption_explains_the_brackets_and_the_unit():
    words = " ".join(printed(predicted_run()))
    assert "as a multiple of the last hidden layer's; weight" in words
    assert "brackets" not in " ".join(printed(diagnosis((0, [layer("01_tanh")]))))


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits_and_leaves_nothing_out(width):
    long = "012_encoder.layers.11.attention.out_projection"
    content = predicted_run()
    content["steps"][0]["layers"].append(layer(long, mean=-1234.5, std=1.2e-12, gradient=1e-13))
    lines = printed(content, width)
    assert max(map(cell_len, lines)) <= width
    assert "…" not in "".join(lines)
    assert long in "".join(line.split()[0] for line in lines if line.strip())


def test_a_huge_mean_takes_no_more_room_than_a_huge_spread():
    lines = printed(diagnosis((0, [layer("01_relu", mean=-109320593.97, std=1.8e8)])))
    assert cells(lines, "01_relu")[0][1:3] == ["-1.1e8", "1.8e8"]


def test_a_run_of_one_step_is_shown_once():
    content = diagnosis((0, [layer("01_tanh")]), (0, [layer("01_tanh")]))
    assert len(cells(printed(content), "01_tanh")) == 1


def test_what_is_unknown_is_a_dash():
    content = predicted_run()
    content["steps"][0]["layers"][1] = layer(
        "01_tanh", None, {"std": None, "activation_grad": None}, mean=None, std=None, saturated=None
    )
    assert cells(printed(content), "01_tanh")[0][1:5] == ["–"] * 4
    content = predicted_run()
    content["steps"][0]["layers"][2]["activation_grad"]["rms"] = 0.0  # nothing to be a multiple of
    assert cells(printed(content), "01_tanh")[0][4:7] == ["3.4%", "–", "(1.4)"]
    del content["steps"][0]["layers"][1]["activation_grad"]
    assert cells(printed(content), "01_tanh")[0][5] == "–"


def test_outputs_that_are_not_finite_are_nan():
    lines = printed(diagnosis((0, [layer("01_tanh", mean=None, std=None, nonfinite=32)]), (9, [])))
    assert cells(lines, "01_tanh")[0][1:3] == ["NaN", "NaN"]


def test_a_layer_that_was_not_reached_has_no_line():
    content = predicted_run()
    del content["steps"][0]["layers"][1]["activation"]
    assert len(cells(printed(content), "01_tanh")) == 1


@pytest.mark.parametrize("name", ["a[red]b[/red]", "x[/]", ":smile:", HOSTILE])
def test_no_markup_is_read_in_names(name):
    lines = printed(diagnosis((0, [layer(name)])))
    # Where a line is folded a space may go.
    assert name.replace(" ", "") in "".join(line[:20] for line in lines).replace(" ", "")


def test_saturation_has_a_column_where_a_layer_can_saturate():
    linear, tanh = layer("01_linear", saturated=None), layer("02_tanh")
    assert "sat." in " ".join(printed(diagnosis((0, [linear, tanh]))))
    alone = printed(diagnosis((0, [linear])))
    assert "sat." not in " ".join(alone)
    assert alone[1].split() == ["layer", "mean", "std", "gradient", "weight", "finding"]


def test_of_many_layers_some_have_a_row_those_that_fell_ill_first_among_them():
    layers = [layer(f"{n:03d}_tanh") for n in range(200)]
    found = finding(layer="011_tanh", layer_names=("011_tanh", "012_tanh"), step=0, last_step=9)
    lines = printed(diagnosis((0, layers), (9, layers), findings=[found]))
    assert lines[0] == "Health of 26 of 200 layers"
    assert sum(line[:3].isdigit() for line in lines) == 52
    for name in ("000_tanh", "011_tanh", "199_tanh"):
        assert sum(line.startswith(name) for line in lines) == 2


def test_forty_columns_have_every_layer_and_its_finding():
    found = [finding(severity="critical", layer_names=("01_tanh",), step=0, last_step=99)]
    lines = printed(predicted_run() | {"findings": [each.as_json() for each in found]}, width=40)
    names = ["00_embedding", "01_tanh", "02_tanh", "03_logits"]
    assert [line.split()[0] for line in lines if line[:2] in ("00", "01", "02", "03")] == names * 2
    assert sum("✗ saturated" in line for line in lines) == 2
    assert not any("…" in line for line in lines)
