"""docs/lesson/playground.html: what it shows of a net is what the net alone shows."""

import gzip
import json
import pickle
from base64 import b64decode
from itertools import product

import numpy as np
import pytest

from scripts.playground_nets import AXES, KEPT, batches, network, sgd
from scripts.watched_nets import watch_alone, watch_together
from scripts.write_playground import FILE, LOSS_STEPS, code, half, loss_codes, main, trained
from tests.makefile import make


def unpacked(text):
    """What playground.js reads: what the data say of themselves, and arrays by name."""
    content = gzip.decompress(b64decode(text))
    length = int.from_bytes(content[:4], "little")
    about, at, arrays = json.loads(content[4 : 4 + length]), 4 + length, {}
    for name, array in about["arrays"].items():
        kind = np.dtype("<u2" if array["bytes"] == 2 else "u1")
        arrays[name] = np.frombuffer(content, kind, array["size"], at)
        at += array["size"] * array["bytes"]
    assert at == len(content)
    return about, arrays


@pytest.fixture(scope="module")
def page():
    """The data of the page that is committed."""
    text = FILE.read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    return unpacked(text.split('id="nets">')[1].split("</script>")[0])


def said(findings):
    return [(each.rule, each.severity, each.explanation) for each in findings]


def test_the_page_shows_what_a_net_trained_alone_shows(page):
    about, arrays = page
    point = {"activation": "relu", "depth": 5, "width": 30, "lr": 0.1, "gain": 1.414, "bias": 0.0}
    assert about["axes"] == {name: list(values) for name, values in AXES.items()}
    net = list(product(*AXES.values())).index(tuple(point[name] for name in AXES))
    shape = {name: value for name, value in point.items() if name != "lr"}
    alone = watch_alone(network(**shape), batches(), sgd(point["lr"]))

    def of_net(name, *of_kept):
        return arrays[name].reshape(-1, len(KEPT), 20, *of_kept)[net, 0, :5]

    figures, buckets = alone.figures, alone.buckets[0, 1:6]
    np.testing.assert_array_equal(of_net("std"), half(figures["activation_std"][0, 1:6]))
    np.testing.assert_allclose(of_net("grad"), half(figures["activation_grad_rms"][0, 1:6]), atol=1)
    most = buckets[..., 2].max(-1, keepdims=True)
    np.testing.assert_array_equal(
        of_net("counts", 30), np.round(255 * np.sqrt(buckets[..., 2] / most))
    )
    np.testing.assert_array_equal(
        of_net("edges", 2), half(np.stack([buckets[:, 0, 0], buckets[:, -1, 1]], 1))
    )
    loss = arrays["loss"].reshape(-1, len(LOSS_STEPS))[net]
    np.testing.assert_allclose(loss, loss_codes(figures["loss"][LOSS_STEPS]), atol=2)
    found = [about["sentences"][place][:3] for place in about["findings"][net]]
    assert [tuple(each) for each in found] == said(alone.findings)


def test_nets_of_a_stack_come_to_the_verdicts_of_each_alone():
    few = batches()[:12]
    points = [("tanh", 3, 10, 10.0, 1.0), ("tanh", 3, 10, 0.25, 0.0)]
    alone = [watch_alone(network(*point), few, sgd(1.0)) for point in points]
    stack = [network(*point) for point in points]
    together = watch_together(stack, few, sgd(1.0), alone[0].figures, [0, 11].__contains__)
    for one, same in zip(together, alone, strict=True):
        assert said(one.findings) == said(same.findings) != []
        np.testing.assert_array_equal(one.buckets[0], same.buckets[0])
        for name in ("activation_std", "weight_grad_rms", "update_to_weight", "silent_units"):
            # Later, what was rounded otherwise has grown: this net's gradient explodes.
            known = one.figures[name][:2], same.figures[name][:2]
            np.testing.assert_allclose(*known, rtol=1e-3, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--processes", "0"], "--processes must be at least 1, got 0"),
        (["--file", "/gone/x.html"], "--file must be in a folder that is there, got /gone/x.html"),
        (["gain=2"], "unrecognized arguments: gain=2"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"


def test_a_shape_that_this_code_has_trained_is_not_trained_again(tmp_path, capsys):
    shapes = [("tanh", 2, 10), ("relu", 2, 10)]
    (tmp_path / code()).mkdir()
    for shape in shapes:
        kept = tmp_path / code() / "_".join(map(str, shape))
        kept.write_bytes(pickle.dumps(f"kept {shape[0]}"))
    assert trained(1, shapes, tmp_path) == ["kept tanh", "kept relu"]
    assert capsys.readouterr().out == ""


def test_make_playground_hands_its_arguments_on():
    told = make("-n", "-o", ".venv/can-run", "playground", "ARGS=--processes 3").stdout
    assert told.strip() == ".venv/bin/python scripts/write_playground.py --processes 3"


@pytest.mark.browser
@pytest.mark.slow
def test_a_slider_shows_another_net_and_says_what_is_between(chromium):
    tab = chromium.new_page(viewport={"width": 390, "height": 800})
    errors = []
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(FILE.as_uri())
    tab.wait_for_selector("#tiles svg")
    assert tab.locator("#tiles figure").count() == 5
    assert "Shown: the net" in tab.inner_text("#between")
    before = tab.inner_html("#std"), tab.inner_html("#tiles")
    tab.focus("#gain")
    tab.keyboard.press("ArrowRight")
    assert "Between grid points" in tab.inner_text("#between")
    assert (tab.inner_html("#std"), tab.inner_html("#tiles")) == before  # still the nearest
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    assert "init gain 1.414" in tab.inner_text("#between")
    assert tab.inner_html("#std") != before[0]
    tab.select_option("#activation", "relu")
    tab.get_by_text("Bad init").click()
    assert "saturated" in tab.inner_text("#verdict")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert errors == []
    tab.close()
