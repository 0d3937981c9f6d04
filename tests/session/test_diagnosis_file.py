"""What runs write as diagnosis.json is what docs/diagnosis.schema.json says."""

import json
import math
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator
from torch import nn

from layerscope import LayerMonitor, read
from layerscope.comparison.history import OF_PLACES, history_of
from layerscope.diagnose import SEVERITIES, Finding, Thresholds
from layerscope.digest.run_digest import digest_of
from layerscope.report.layer_charts import heatmaps
from layerscope.session.diagnosis_file import SCHEMA as VERSION
from layerscope.theory import PredictionSummary, mlp, predict
from layerscope.theory.prediction_summary import LAYER_PREDICTIONS, PhaseSummary
from tests.any_model.nets import Mlp, make, seeded
from tests.any_model.training import fit
from tests.diagnose.healthy import GPT
from tests.watching import mean_square, watch_loop

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "diagnosis.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)
DEFINED = SCHEMA["$defs"]
KAIMING = PredictionSummary.of(predict(mlp([4, 8, 8], "tanh", 2.0)), "keep it")


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def written(folder):
    """A run's diagnosis.json, after it has been found to be as the schema says."""
    text = (folder / "diagnosis.json").read_text(encoding="utf-8")
    diagnosis = json.loads(text, parse_constant=no_constant)
    errors = [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(diagnosis)]
    assert errors == []
    return diagnosis


def watched(folder, loss=mean_square, steps=8, net=None, **settings):
    """A plain loop of a few steps, for diseases that a module of Lightning's would hide."""
    torch.manual_seed(0)
    net = net or nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
    watch_loop(net, folder, steps, lambda step: (torch.randn(16, 4),), loss, **settings)
    return written(folder)


def test_a_run_whose_last_step_was_not_looked_at_has_what_was_seen_before(tmp_path):
    net = GPT(11)
    tokens = torch.randint(11, (4, 8))
    watch_loop(net, tmp_path, 8, lambda step: (tokens,))
    first, last = written(tmp_path)["steps"]
    assert (last["step"], last["looked_at"]) == (7, 6)
    assert "looked_at" not in first
    for step in (first, last):
        assert len(step["attention"]) == 3
        assert len(step["stream"]) == 6
    run = read(tmp_path)
    told = digest_of("run", "finished", None, run.figures, run.findings)["layers"]
    assert sum("attention_entropy" in layer["last"] for layer in told) == 3
    maps = heatmaps(history_of(run.figures))["maps"]
    assert [len(maps[name]["layers"]) for name in OF_PLACES if name in maps] == [3, 3, 6, 6]


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == VERSION


@pytest.mark.parametrize(
    "name", ["unused", "lstm", "gpt", "resnet", "returns_tuple", "returns_nested", "siamese", "gan"]
)
def test_a_run_of_any_network_writes_what_the_schema_says(tmp_path, name):
    fit(make(name), tmp_path, LayerMonitor())
    assert len(written(tmp_path)["steps"]) == 2


def test_so_does_one_with_all_quantities_and_calls_kept_apart(tmp_path):
    quantities = ("activation", "activation_grad", "weight_grad", "weight", "update")
    monitor = LayerMonitor(biases=True, per_call=True, quantities=quantities)
    fit(make("siamese"), tmp_path, monitor)
    entries = written(tmp_path)["steps"][0]["layers"]
    assert {"update", "bias_update", "bias_grad", "bias"} <= {key for e in entries for key in e}


def test_so_does_one_whose_loss_is_nan(tmp_path):
    diagnosis = watched(tmp_path, lambda y: (y * torch.nan).sum())
    assert diagnosis["steps"][-1]["loss"] is None
    assert diagnosis["steps"][-1]["layers"][0]["activation"]["mean"] is None
    told = [(each["rule"], each["layer"], each["because"]) for each in diagnosis["findings"]]
    assert told[:2] == [
        ("loss_not_finite", "loss", ""),
        ("not_finite", "00_tanh", "loss_not_finite"),
    ]


def test_so_does_one_whose_loss_is_infinite(tmp_path):
    assert watched(tmp_path, lambda y: y.sum() * 1e38 * 1e38, steps=1)["steps"][0]["loss"] is None


def test_so_does_one_with_findings_of_every_severity(tmp_path):
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    nn.init.normal_(net[2].weight, std=30)
    thresholds = Thresholds(lasting=2, idle_std=10.0, biased_mean=0.0, biased_bad=1e9)
    diagnosis = watched(tmp_path, net=net, thresholds=thresholds)
    assert {each["severity"] for each in diagnosis["findings"]} == set(SEVERITIES)
    assert diagnosis["judged_by"]["thresholds"]["idle_std"] == 10.0


@pytest.mark.parametrize("kind", ["returns_integers", "returns_nothing"])
def test_so_does_one_with_layers_that_could_not_be_measured(tmp_path, kind):
    fit(make(kind), tmp_path, LayerMonitor())
    assert written(tmp_path)["not_measured"]


@pytest.mark.parametrize(
    "prediction",
    [
        KAIMING,
        replace(KAIMING, phase=replace(KAIMING.phase, xi_q=math.inf, xi_c=math.inf)),
        PredictionSummary(reason="nobody told theory the variances"),
    ],
)
def test_so_does_one_that_theory_was_asked_about(tmp_path, prediction):
    monitor = LayerMonitor()
    monitor.prediction = prediction
    fit(seeded(Mlp), tmp_path, monitor)
    diagnosis = written(tmp_path)
    first, last = diagnosis["steps"]
    assert sum("predicted" in entry for entry in first["layers"]) == prediction.depth
    assert not any("predicted" in entry for entry in last["layers"])
    assert len(diagnosis["theory"]["layers"]) == prediction.depth


OPTIONAL = {
    "step": {"incomplete", "attention", "stream", "experts", "gates", "looked_at"},
    "finding": {"layer_steps", "sure", "harmless"},
}


def test_every_field_that_a_part_can_have_is_described():
    assert set(DEFINED["finding"]["properties"]) == {
        *(f.name for f in fields(Finding)),
        *("steps", "sure"),
    }
    assert set(DEFINED["thresholds"]["properties"]) == {f.name for f in fields(Thresholds)}
    assert DEFINED["finding"]["properties"]["severity"]["enum"] == list(SEVERITIES)
    assert set(DEFINED["expected_layer"]["properties"]) == set(LAYER_PREDICTIONS)
    assert set(DEFINED["phase"]["properties"]) == {f.name for f in fields(PhaseSummary)}
    assert set(DEFINED["theory"]["properties"]) == set(PredictionSummary().as_json())
    for name, part in DEFINED.items():
        if part.get("type") == "object":
            assert part["additionalProperties"] is False, name
            assert set(part["required"]) <= set(part["properties"]), name
            if name != "layer":
                optional = OPTIONAL.get(name, set())
                assert set(part["required"]) == set(part["properties"]) - optional, name


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    monitor = LayerMonitor(thresholds=Thresholds(lasting=1, idle_std=10.0))
    monitor.prediction = KAIMING
    fit(seeded(Mlp), folder, monitor)
    return written(folder)


def breakages():
    def broken(name, change):
        return pytest.param(change, id=name)

    yield broken("another version", lambda d: d.update(schema=1))
    yield broken("a further key", lambda d: d.update(extra=1))
    yield broken("no findings", lambda d: d.pop("findings"))
    yield broken("one step", lambda d: d["steps"].pop())
    yield broken("a negative step", lambda d: d["steps"][0].update(step=-1))
    yield broken("a word for a loss", lambda d: d["steps"][0].update(loss="NaN"))
    yield broken("a nameless layer", lambda d: d["steps"][0]["layers"][0].update(layer="linear"))
    yield broken("no names", lambda d: d["findings"][0].pop("layer_names"))
    yield broken(
        "a share above 1", lambda d: d["steps"][0]["layers"][0]["activation"].update(zeros=1.1)
    )
    yield broken(
        "a negative std", lambda d: d["steps"][0]["layers"][0]["activation"].update(std=-1.0)
    )
    yield broken(
        "half an element", lambda d: d["steps"][0]["layers"][0]["weight_grad"].update(nonfinite=0.5)
    )
    yield broken("another severity", lambda d: d["findings"][0].update(severity="fatal"))
    yield broken("no steps of a finding", lambda d: d["findings"][0].pop("steps"))
    yield broken("no cause", lambda d: d["findings"][0].pop("because"))
    yield broken("no layers of a finding", lambda d: d["findings"][0].update(layers=0))
    yield broken("another phase", lambda d: d["theory"]["phase"].update(verdict="calm"))
    yield broken("an unknown scale", lambda d: d["theory"]["phase"].update(xi_c="infinite"))
    yield broken("one class", lambda d: d["judged_by"].update(classes=1))
    yield broken(
        "an unknown threshold", lambda d: d["judged_by"]["thresholds"].update(saturated_sick=0.3)
    )
    yield broken("a missing reason", lambda d: d["not_measured"].append({"layer": "01_tanh"}))


@pytest.mark.parametrize("change", list(breakages()))
def test_the_schema_refuses(diagnosis, change):
    broken = deepcopy(diagnosis)
    change(broken)
    assert not VALIDATOR.is_valid(broken)
