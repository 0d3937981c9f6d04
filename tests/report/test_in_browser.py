"""The report in a real browser: it draws, moves, and loads nothing."""

import json

import pytest

from layerscope.report import write_report
from tests.browser import CHROMIUM, Browser
from tests.runs import HOSTILE, Made, write_sweep

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]

CHARTS = (
    "losses", "gradients", "histograms-a", "histograms-b", "heatmaps-a", "heatmaps-b", "phases",
)  # fmt: skip


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder, ("random", "kaiming"), ("tanh", "relu"), (0, 1))
    return write_report(folder)


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path / "profile", height=4000) as browser:
        yield browser


def bars(browser, side="a"):
    """Heights of all bars of a row of histograms."""
    return browser.run(
        f"document.getElementById('chart-histograms-{side}').data.map(trace => trace.y).flat()"
    )


def choose(browser, name, value):
    browser.run(f"document.querySelector('#{name} input[value={value}]').click()")
    browser.frames()


def assert_sound(browser, page):
    assert browser.console == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [page.as_uri()]


@pytest.mark.parametrize(
    ("width", "dark"), [(1300, False), (1300, True), (400, False)], ids=["light", "dark", "phone"]
)
def test_every_chart_draws_without_an_error_and_fits(sweep, tmp_path, width, dark):
    with Browser(tmp_path / "profile", width=width, height=9000, dark=dark) as browser:
        browser.open(sweep)
        for name in CHARTS:
            drawn = browser.run(
                f"document.querySelectorAll('#chart-{name} .main-svg, #chart-{name} canvas').length"
            )
            assert drawn, name
        assert browser.run("document.querySelectorAll('#chart-losses .scatterlayer path').length")
        images = "document.querySelectorAll('#chart-heatmaps-a .heatmaplayer image').length"
        assert browser.run(images)
        assert browser.run("document.documentElement.scrollWidth") == width
        ground = browser.run("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(16, 20, 26)") is dark
        assert_sound(browser, sweep)


@pytest.mark.parametrize("width", [1400, 1200, 1000, 390])
def test_nothing_is_cut(tmp_path, width):
    write_sweep(tmp_path, ("random", "kaiming"), ("tanh", "relu"), (0, 1, 2))
    single = Made("random").write(tmp_path / "single")
    with Browser(tmp_path / "profile", width=width) as browser:
        for page in (write_report(tmp_path), write_report(single)):
            browser.open(page)
            wider = (
                "[...document.querySelectorAll('main, nav, .wide, .controls, .choice')]"
                ".filter(each => each.scrollWidth > each.clientWidth + 1)"
                ".map(each => each.className || each.tagName)"
            )
            assert browser.run(wider) == []
            assert browser.run("document.documentElement.scrollWidth") == width


def test_three_activations_are_drawn_beside_each_other(sweep, tmp_path):
    write_sweep(tmp_path, ("kaiming",), ("tanh", "relu", "leaky_relu"), (0,))
    page = write_report(tmp_path)
    with Browser(tmp_path / "profile", height=9000) as browser:
        browser.open(page)
        drawn = (
            "['a', 'b', 'c', 'd'].filter(side => {"
            "const place = document.getElementById(`chart-histograms-${side}`);"
            "return place && place.clientWidth && place.data && place.data.length })"
        )
        assert browser.run(drawn) == ["a", "b"]
        browser.run(
            "(s => { s.selectedIndex = [...s.options].findIndex(o => o.text === "
            "'by model.activation'); s.dispatchEvent(new Event('change')) })"
            "(document.getElementById('selection'))"
        )
        browser.frames()
        browser.frames()
        assert browser.run(drawn) == ["a", "b", "c"]
        assert_sound(browser, page)


def test_the_axis_of_a_level_gradient_spans_two_decades_and_has_labels(tmp_path, browser):
    browser.open(write_report(Made().write(tmp_path)))
    axis = "document.getElementById('chart-gradients').layout.yaxis"
    low, high = browser.run(f"{axis}.range")
    assert high - low == pytest.approx(2)
    assert "1e-4" in browser.run(f"{axis}.ticktext")


def test_the_slider_moves_through_the_steps(tmp_path, browser):
    run = Made(steps=60, moving=True).write(tmp_path)
    page = write_report(run)
    browser.open(page)
    browser.run("document.getElementById('step').focus()")
    assert browser.run("document.getElementById('step-shown').textContent") == "step 0"
    before = bars(browser)
    for _ in range(30):
        browser.press("ArrowRight", 39)
    browser.frames()
    assert browser.run("document.getElementById('step-shown').textContent") == "step 59"
    after = bars(browser)
    assert len(after) == len(before) == 5 * 30
    assert after != before
    assert_sound(browser, page)


def test_play_goes_to_the_last_step_and_stops(sweep, browser):
    browser.open(sweep)
    browser.run("document.getElementById('step').value = document.getElementById('step').max - 1")
    browser.click("#play")
    browser.run("new Promise(r => setTimeout(r, 1700))")
    assert browser.run("document.getElementById('step-shown').textContent") == "step 59"
    assert browser.run("document.getElementById('play').textContent") == "▶"


def test_another_run_and_another_quantity_can_be_chosen(sweep, browser):
    browser.open(sweep)
    before = bars(browser)
    browser.run(
        "(s => { s.selectedIndex = (s.selectedIndex + 1) % s.length;"
        "s.dispatchEvent(new Event('change')) })(document.getElementById('run-a'))"
    )
    browser.frames()
    other = bars(browser)
    assert other != before
    choose(browser, "histogram-what", "activation_grad_log10")
    assert bars(browser) != other
    choose(browser, "histogram-scale", "own")
    choose(browser, "gradient-when", "end")
    choose(browser, "loss-tag", "'train/loss'".replace("'", '"'))
    choose(browser, "loss-steps", "log")
    choose(browser, "heatmap-steps", "log")
    assert browser.run("document.getElementById('chart-losses').layout.xaxis.type") == "log"
    assert_sound(browser, sweep)


def test_the_legend_switches_a_colour_off_and_on_in_all_charts(sweep, browser):
    browser.open(sweep)
    count = "document.getElementById('chart-gradients').data.length"
    whole = browser.run(count)
    browser.click("#losses .legend button")
    assert browser.run(count) == whole // 2
    browser.click("#gradients .legend button")
    assert browser.run(count) == whole


def test_the_button_changes_light_to_dark(sweep, browser):
    browser.open(sweep)
    ink = "document.getElementById('chart-losses').layout.font.color"
    light = browser.run(ink)
    browser.click("#theme")
    assert browser.run(ink) != light
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 26)"
    browser.click("#theme")
    assert browser.run(ink) == light


def test_a_heading_sorts_the_table(sweep, browser):
    browser.open(sweep)
    ranks = "[...document.querySelectorAll('.ranked .rank')].map(cell => cell.textContent).join('')"
    assert browser.run(ranks) == "1234"
    browser.click(".ranked thead th:nth-child(3) .sort")
    assert browser.run(ranks) == "1234"
    browser.click(".ranked thead th:nth-child(3) .sort")
    assert browser.run(ranks) == "4321"


def test_charts_below_the_screen_wait(sweep, tmp_path):
    with Browser(tmp_path / "profile", height=300) as browser:
        browser.open(sweep)
        drawn = "document.querySelectorAll('.js-plotly-plot').length"
        assert browser.run(drawn) < len(CHARTS)
        browser.run("document.getElementById('repeat').scrollIntoView()")
        browser.run("new Promise(r => setTimeout(r, 500))")
        assert browser.run("!!document.querySelector('#chart-phases.js-plotly-plot')")


def test_hostile_names_are_shown_and_not_run(tmp_path, browser):
    for init in ("kaiming", "random"):
        run = Made(init).write(tmp_path)
        name = json.dumps(f"init={HOSTILE}<b>{init}")
        (run / ".hydra" / "overrides.yaml").write_text(f"- {name}\n- model.activation={name}\n")
        run.rename(tmp_path / f"<b>bold<a href=x>{init}<img src=x onerror=alert(3)>")
    page = write_report(tmp_path)
    browser.open(page)
    browser.run("window.alert = () => { throw new Error('a name was run') }")
    browser.click("#theme")
    assert browser.run("document.querySelectorAll('img, svg a').length") == 0
    shown = browser.run("document.getElementById('chart-histograms-a').textContent")
    assert "<b>bold<a href=x>kaiming<img src=x onerror=alert(3)>" in shown
    assert_sound(browser, page)


def test_a_single_run_draws(tmp_path, browser):
    page = write_report(Made(depth=1).write(tmp_path))
    browser.open(page)
    assert browser.run("document.querySelectorAll('.js-plotly-plot').length") >= 3
    assert_sound(browser, page)
