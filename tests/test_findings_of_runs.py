"""What a run says of itself, as TensorBoard's own reader finds it."""

import io

import matplotlib.image
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.nn.functional import cross_entropy

import layerscope
from layerscope.diagnose import Finding


def sick_net():
    """Ten tanh layers whose weights are far too large from the fourth on."""
    torch.manual_seed(0)
    net = nn.Sequential(*(m for _ in range(8) for m in (nn.Linear(20, 20), nn.Tanh())))
    net.append(nn.Linear(20, 3))
    with torch.no_grad():
        for i, module in enumerate(net):
            if isinstance(module, nn.Linear):
                module.weight.mul_(12.0 if i >= 6 else 1.7)
    return net


def loop(net, folder, steps=60, spoil=None, **settings):
    draw = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    with layerscope.watch(net, folder, **settings) as watcher:
        for step in range(steps):
            if spoil is not None:
                spoil(step, net)
            x = torch.randn(64, 20, generator=draw)
            y = torch.randint(3, (64,), generator=draw)
            loss = cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not watcher.step(loss):
                break
    assert watcher.failure is None
    return watcher


def read(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0, "images": 0})
    events.Reload()
    return events


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sick")
    return loop(sick_net(), folder, images=True), folder


def test_the_first_saturated_layer_is_named_from_step_0(sick):
    watcher, _ = sick
    finding = next(f for f in watcher.findings if f.rule == "saturated")
    assert (finding.severity, finding.layer, finding.step) == ("critical", "03_tanh", 0)
    assert finding.layers == 5


def test_diagnosis_json_has_the_findings_causes_first(sick):
    watcher, _ = sick
    told = [Finding.of_json(each) for each in watcher.diagnosis["findings"]]
    assert told == watcher.findings
    assert [(f.rule, f.because) for f in told] == [
        ("saturated", ""),
        ("overconfident_start", "saturated"),
    ]


def test_a_marker_scalar_stands_at_the_step_where_a_finding_began(sick):
    _, folder = sick
    (marker,) = read(folder).Scalars("finding/saturated")
    assert (marker.step, marker.value) == (0, 3.0)  # critical


def test_the_text_panel_tells_the_findings_and_what_to_change(sick):
    watcher, folder = sick
    (event,) = read(folder).Tensors("findings")
    text = event.tensor_proto.string_val[0].decode()
    assert "03\\_tanh" in text
    assert watcher.findings[0].remedy.split(":")[0] in text


def test_the_images_are_pictures_of_the_run(sick):
    _, folder = sick
    events = read(folder)
    for tag in ("layers/heatmaps", "layers/profile"):
        (event,) = events.Tensors(tag)
        width, height, png = event.tensor_proto.string_val
        pixels = matplotlib.image.imread(io.BytesIO(png))
        assert pixels.shape[:2] == (int(height), int(width))
        assert pixels[..., :3].std() > 0.05, tag  # it is not blank


def test_a_run_of_few_steps_or_of_less_than_a_minute_unasked_is_not_drawn(tmp_path):
    loop(sick_net(), tmp_path / "few steps", steps=49, images=True)
    loop(sick_net(), tmp_path / "seconds")
    loop(sick_net(), tmp_path / "off", images=False)
    for name in ("few steps", "seconds", "off"):
        assert "layers/heatmaps" not in read(tmp_path / name).Tags()["tensors"]


def test_a_disease_that_begins_in_the_middle_is_named_with_its_step(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(*(m for _ in range(6) for m in (nn.Linear(20, 20), nn.Tanh())))
    net.append(nn.Linear(20, 3))

    def spoil(step, net):
        if step == 37:
            with torch.no_grad():
                net[4].weight.mul_(40.0)

    watcher = loop(net, tmp_path, spoil=spoil)
    finding = next(f for f in watcher.findings if f.rule == "saturated")
    assert (finding.layer, finding.step) == ("02_tanh", 37)


def test_a_switched_off_rule_is_silent(tmp_path):
    watcher = loop(sick_net(), tmp_path, steps=20, switched_off=["saturated"])
    assert "saturated" not in {finding.rule for finding in watcher.findings}
    assert watcher.diagnosis["judged_by"]["switched_off"] == ["saturated"]


def test_stop_on_ends_the_loop_and_refused_names_the_finding(tmp_path):
    watcher = loop(sick_net(), tmp_path, stop_on="critical", fail_on="warning")
    assert watcher.diagnosis["steps"][-1]["step"] == 4  # the symptom has lasted five steps
    assert watcher.refused.severity == "critical"
