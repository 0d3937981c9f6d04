import base64
import hashlib
import json
import math
import re
import shutil
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.comparison import compare
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import scalar
from layerscope.report import write_report
from layerscope.report.chart_data import chart_data
from layerscope.report.findings import GroupFinding
from layerscope.report.group_styles import styles_of
from layerscope.report.layer_charts import heatmaps
from layerscope.report.packed import packed
from layerscope.sinks.figures_event import FiguresEncoder
from tests.made_findings import finding
from tests.runs import HOSTILE, Made, write_sweep
from tests.watching import watch_loop


class Page(HTMLParser):
    """A report as a browser takes it apart: its elements, texts and scripts."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.scripts = [], [], []
        self._inside = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data):
        if self._inside and self._inside[-1] == "script":
            self.scripts[-1] += data
        elif not self._inside or self._inside[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    @property
    def data(self):
        return json.loads(self.scripts[0])


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    page = Page(write_report(write_sweep(tmp_path)))
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "img", "form"}
        assert not {"src", "srcset", "action", "background", "data"} & set(attributes)
        for name in ("href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_lets_our_scripts_run_and_nothing_else(tmp_path):
    page = Page(write_report(write_sweep(tmp_path)))
    (policy,) = (each["content"] for _, each in page.elements if each.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    ours = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in page.scripts[1:]
    ]
    assert re.findall(r"'sha256-([^']+)'", policy) == ours
    assert len(ours) == 2
    assert not any(name.startswith("on") for _, each in page.elements for name in each)


def test_a_run_whose_settings_nobody_wrote_down_has_its_folder_s_name_for_a_title(tmp_path):
    run = Made().write(tmp_path)
    (run / "status.json").unlink()
    shutil.rmtree(run / ".hydra")
    mine = run.rename(tmp_path / "mine")
    assert "<h1>mine</h1>" in write_report(mine).read_text()


def test_runs_whose_settings_nobody_wrote_down_go_by_their_names_in_the_charts(tmp_path):
    for name in ("first", "second"):
        run = Made().write(tmp_path)
        (run / "status.json").unlink()
        shutil.rmtree(run / ".hydra")
        run.rename(tmp_path / name)
    styles = styles_of(compare(tmp_path).groups)
    assert [style.name for style in styles] == ["first", "second"]


def test_plotly_is_there_once(tmp_path):
    source = write_report(write_sweep(tmp_path)).read_text()
    assert source.count("plotly.js v") == 1


def test_what_to_change_and_how_sure_that_is_stand_under_the_cause_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("layerscope.report.findings.sure_words", lambda rule: f"of {rule}")
    run = Made().write(tmp_path)
    cause = finding(rule="a", severity="critical", remedy="mend a")
    follows = finding(rule="b", remedy="mend b", because="a")
    note = finding(rule="c", remedy="mend c", severity="note")
    found = [each.as_json() for each in (cause, follows, note)]
    (run / "diagnosis.json").write_text(json.dumps({"findings": found}))
    text = Page(write_report(run)).text
    assert "→ mend a how sure: of a" in text
    assert "because of a" in text
    assert "mend b" not in text
    assert "mend c" in text
    assert text.count("how sure") == 1


def test_everything_from_a_config_or_a_file_is_escaped(tmp_path):
    """Settings, folders, layers, findings, reasons, versions: as hostile as a name can be."""
    run = Made().write(tmp_path)
    hostile = json.dumps(HOSTILE)
    (run / ".hydra" / "overrides.yaml").write_text(f"- {json.dumps('init=' + HOSTILE)}\n- seed=0\n")
    Made("random").write(tmp_path)
    (run / "status.json").write_text(
        f'{{"state": {hostile}, "reason": {hostile}, "versions": {{{hostile}: {hostile}}}}}'
    )
    hostile_finding = dict.fromkeys(asdict(GroupFinding(*[""] * 12)), HOSTILE)
    (run / "diagnosis.json").write_text(json.dumps({"findings": [hostile_finding, 3, None]}))
    run.rename(tmp_path / HOSTILE.replace("/", "|"))
    (tmp_path / "<b>theirs").mkdir()
    (tmp_path / "<b>theirs" / "events.out.tfevents.0").write_bytes(b"")
    page = Page(write_report(tmp_path))
    assert len(page.scripts) == 3
    assert not any(tag in {"img", "b"} and "onerror" in each for tag, each in page.elements)
    # All of it, wherever any of it is; in a folder's name without the slash.
    whole = HOSTILE.partition("'")[0]  # which a shell's command quotes
    shown = page.text.count(whole), page.text.count(whole.replace("/", "|"))
    assert page.text.count("alert(1)") == sum(shown)
    assert shown[0] >= 12
    assert "<" not in page.scripts[0]
    assert any(HOSTILE in group["label"] for group in page.data["groups"])
    assert "<b>theirs: the run of another tool" in page.text


def test_the_page_has_all_its_parts(tmp_path):
    found = compare(write_sweep(tmp_path, activations=("tanh", "relu")))
    page = Page(write_report(tmp_path, found))
    ids = {each.get("id") for _, each in page.elements}
    assert {
        "answer", "ranking", "chart-losses", "chart-gradients", "chart-histograms-a",
        "chart-histograms-b", "step", "chart-heatmaps-a", "chart-heatmaps-b", "chart-phases",
        "findings", "repeat",
    } <= ids  # fmt: skip
    assert found.answer[0] in page.text
    assert found.answer[1] in page.text
    assert "it holds the true median in 75 % of cases at most" in page.text
    assert "critical saturated in 01_tanh , 5 layers, from step 0 · init=random" in page.text
    assert "(3 of 3 runs)" in page.text
    settings = "init=kaiming,random model.activation=relu,tanh seed=0,1,2"
    assert f"python train.py -m {settings}" in page.text
    assert "torch 2.13.0" in page.text
    assert len(page.data["phases"]) == 2


def test_what_was_not_recorded_has_no_chart(tmp_path):
    run = tmp_path / "init=kaiming,seed=0"
    run.mkdir()
    (run / "status.json").write_text('{"state": "failed", "reason": "no CUDA"}')
    page = Page(write_report(tmp_path))
    assert not any(each.get("class") == "chart" for _, each in page.elements)
    assert "No loss was logged." in page.text
    assert "This run has not been judged" in page.text
    assert "no CUDA" in page.text
    assert "the command is not known" in page.text


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("train", "python train.py"),
        ("layerscope train", "layerscope train"),
        ("-m layerscope train", "python -m layerscope train"),
    ],
)
def test_a_sweeps_own_command_is_told(tmp_path, name, command):
    write_sweep(tmp_path, seeds=(0,))
    (tmp_path / "multirun.yaml").write_text(
        f"hydra:\n  job:\n    name: {name}\n  overrides:\n    task:\n    - init=random,kaiming\n"
        "    - name=it's\n"
    )
    page = Page(write_report(tmp_path))
    assert command + """ -m init=random,kaiming 'name=it'"'"'s'""" in page.text


def test_the_sick_run_stands_beside_a_healthy_one_of_the_same_activation(tmp_path):
    write_sweep(tmp_path, ("random", "kaiming"), ("relu", "tanh"), seeds=(0,))
    data = Page(write_report(tmp_path)).data
    assert data["selections"][0]["label"] == "healthy beside sick"
    healthy, sick = data["selections"][0]["runs"]
    assert "kaiming" in healthy
    assert "random" in sick
    assert healthy.replace("kaiming", "") == sick.replace("random", "")


def test_three_runs_stand_beside_each_other_by_activation(tmp_path):
    activations = ("tanh", "relu", "leaky_relu")
    write_sweep(tmp_path, ("random", "kaiming"), activations, seeds=(0,))
    page = Page(write_report(tmp_path))
    (by,) = (each for each in page.data["selections"] if each["label"] == "by model.activation")
    assert sorted(by["runs"]) == sorted(
        f"init=kaiming,model.activation={each},seed=0" for each in activations
    )
    ids = {each.get("id") for _, each in page.elements}
    assert {f"chart-heatmaps-{side}" for side in "abcd"} <= ids


def test_the_page_of_one_run_begins_with_its_verdict_and_what_was_typed(tmp_path):
    page = Page(write_report(Made("random").write(tmp_path)))
    head, _, rest = page.text.partition("Repeat it")
    assert "init=random model.activation=tanh seed=0" in head
    answer = rest.index("1 critical: 01_tanh passes no gradient on.")
    found = rest.index("Findings and remedies")
    assert (
        answer < found < rest.index("It ends with a val/loss") + 200 < rest.index("Figures", found)
    )
    assert "01_tanh 0.79 66.8% 0.0% 9.4e-4 6.3e-4 critical saturated, step 0" in page.text
    assert "00_embedding 0.79 – – 0.0011 6.3e-4 –" in page.text


def test_with_one_seed_each_no_column_is_empty_and_nothing_is_said_of_intervals(tmp_path):
    page = Page(write_report(write_sweep(tmp_path, seeds=(0,))))
    assert "behind the best" not in page.text
    assert "bootstrap" not in page.text
    assert "One seed each: which differences are luck cannot be told." in page.text


def test_a_loss_that_is_one_point_is_not_what_the_page_begins_with(tmp_path):
    run = Made(steps=10, diagnosed=False)
    data = Page(write_report(run.write(tmp_path))).data
    assert data["loss"] == "val/loss"  # at every step
    one_point(tmp_path / "other")
    data = Page(write_report(tmp_path / "other")).data
    assert data["loss"] == "train/loss"
    assert data["sections"]["tags"][0] == ["train/loss", "train/loss"]


def one_point(folder):
    """A run with a train/loss at every step and one val/loss."""
    run = Made(diagnosed=False).write(folder)
    for path in run.glob("*tfevents*"):
        path.unlink()
    figures, encoder = Made().figures(), FiguresEncoder(Made().layers())
    with EventFile(run) as events:
        for i, step in enumerate(figures.steps.tolist()):
            values = encoder.encode_steps(figures.of_layers[[i]], figures.of_steps[[i]])[0]
            values.append(scalar("train/loss", 2.0))
            values += [scalar("val/loss", 2.1)] if step == 59 else []
            events.add(step, values)


def test_of_many_layers_some_are_drawn(tmp_path):
    data = Page(write_report(Made("critical", depth=70, steps=20).write(tmp_path))).data
    (run,) = data["runs"]
    assert run["layers"]["heatmaps"]["of"] == 72
    names = run["layers"]["heatmaps"]["maps"]["activation_grad_rms"]["layers"]
    assert len(names) == 60
    assert (names[0], names[-1]) == ("00_embedding", "71_logits")
    shown = list(run["layers"]["histograms"]["quantities"]["activation"])
    assert len(shown) == 12
    assert (shown[0], shown[-1]) == ("01_tanh", "70_tanh")
    assert run["profile"]["start"]["shape"] == [70]


def test_of_many_runs_those_of_median_loss_are_drawn_in_detail(tmp_path):
    write_sweep(tmp_path, ("kaiming", "xavier"), seeds=range(7), steps=20)
    found = compare(tmp_path)
    data = Page(write_report(tmp_path, found)).data
    detailed = [run["name"] for run in data["runs"] if run["layers"]]
    assert detailed == [group.typical.name for group in found.groups]
    for group in found.groups:
        assert group.typical.measures["loss"] == group.median("loss")


def test_a_page_comes_out_the_same_twice(tmp_path):
    write_sweep(tmp_path, seeds=(0, 1))
    first, second = (Page(write_report(tmp_path)).scripts for _ in range(2))
    assert first == second


def test_packed_numbers_come_back_within_half_a_step():
    values = np.random.default_rng(0).normal(size=(7, 5))
    values[2, 3] = math.nan
    values[0, 0] = math.inf
    for levels, dtype in ((65_535, "<u2"), (255, "u1")):
        made = packed(values, levels)
        codes = np.frombuffer(base64.b64decode(made["data"]), dtype).astype(float)
        codes[codes == levels] = np.nan
        back = made["low"] + codes.reshape(made["shape"]) * made["step"]
        finite = np.isfinite(values)
        assert np.isnan(back[~finite]).all()
        assert np.abs(back - values)[finite].max() <= made["step"] * 0.501
        assert made["step"] == pytest.approx(np.ptp(values[finite]) / (levels - 1))


@pytest.mark.parametrize("values", [[], [math.nan], [3.0, 3.0]])
def test_packing_takes_what_has_no_range(values):
    made = packed(values)
    codes = np.frombuffer(base64.b64decode(made["data"]), "<u2")
    assert codes.tolist() == [65_535 if math.isnan(value) else 0 for value in values]
    json.dumps(made, allow_nan=False)


def test_where_nothing_is_finite_any_more_no_share_and_no_gradient_is_drawn(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def break_it(step, net):
        if step == 6:
            with torch.no_grad():
                net[0].weight.fill_(math.nan)

    watch_loop(net, tmp_path, 12, before=break_it)
    run = compare(tmp_path).runs[0]
    for quantity in ("saturated", "activation_grad_rms"):
        drawn = heatmaps(run.history)["maps"][quantity]
        codes = np.frombuffer(base64.b64decode(drawn["z"]["data"]), np.uint8)
        rows = codes.reshape(drawn["z"]["shape"])
        assert ((rows == 255) == (np.arange(12) >= 6)).all()


@pytest.mark.parametrize(
    ("loss_of", "unit"),
    [
        (lambda z: nn.functional.cross_entropy(z, torch.arange(len(z)) % 3), ", nats"),
        (lambda z: nn.functional.mse_loss(z, torch.randn(len(z), 3)), ""),
    ],
)
def test_the_losses_have_the_unit_of_what_they_are(tmp_path, loss_of, unit):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    watch_loop(net, tmp_path, 12, lambda step: (torch.randn(16, 4),), loss_of)
    comparison = compare(tmp_path)
    assert chart_data(comparison, styles_of(comparison.groups))["unit"] == unit
