"""The report in a real browser: it draws, moves, and loads nothing."""

import json

import pytest

from layerscope.report import write_report
from tests.runs import HOSTILE, Made, write_sweep

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHARTS = (
    "losses", "gradients", "histograms-a", "histograms-b", "heatmaps-a", "heatmaps-b", "phases",
)  # fmt: skip


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder, ("random", "kaiming"), ("tanh", "relu"), (0, 1))
    return write_report(folder)


@pytest.fixture
def show(chromium):
    """show(path): a page that has loaded a file and drawn it, with no error and no other request.

    Both are looked at when the test is over.
    """
    pages, asked_for, requests, errors = [], [], [], []

    def show(path, width=1300, height=4000, dark=False):
        page = chromium.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            is_mobile=width < 600,
        )
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: message.type in ("error", "warning") and errors.append(message.text),
        )
        pages.append(page)
        asked_for.append(path.resolve().as_uri())
        page.goto(asked_for[-1])
        draw(page)
        return page

    yield show
    for page in pages:
        page.close()
    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == asked_for


def draw(page):
    page.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r())))")


def bars(page, side="a"):
    """Heights of all bars of a row of histograms."""
    return page.evaluate(
        f"document.getElementById('chart-histograms-{side}').data.map(trace => trace.y).flat()"
    )


def choose(page, name, value):
    page.evaluate(f"document.querySelector('#{name} input[value={value}]').click()")
    draw(page)


@pytest.mark.parametrize(
    ("width", "dark"), [(1300, False), (1300, True), (400, False)], ids=["light", "dark", "phone"]
)
def test_every_chart_draws_without_an_error_and_fits(sweep, show, width, dark):
    page = show(sweep, width, 9000, dark)
    for name in CHARTS:
        drawn = page.evaluate(
            f"document.querySelectorAll('#chart-{name} .main-svg, #chart-{name} canvas').length"
        )
        assert drawn, name
    assert page.evaluate("document.querySelectorAll('#chart-losses .scatterlayer path').length")
    images = "document.querySelectorAll('#chart-heatmaps-a .heatmaplayer image').length"
    assert page.evaluate(images)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 20, 26)") is dark


@pytest.mark.parametrize(
    "width", [1400, *(pytest.param(width, marks=pytest.mark.rare) for width in (1200, 1000)), 390]
)
def test_nothing_is_cut(tmp_path, show, width):
    write_sweep(tmp_path, ("random", "kaiming"), ("tanh", "relu"), (0, 1, 2))
    single = Made("random").write(tmp_path / "single")
    for path in (write_report(tmp_path), write_report(single)):
        page = show(path, width)
        wider = (
            "[...document.querySelectorAll('main, nav, .wide, .controls, .choice')]"
            ".filter(each => each.scrollWidth > each.clientWidth + 1)"
            ".map(each => each.className || each.tagName)"
        )
        assert page.evaluate(wider) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_three_activations_are_drawn_beside_each_other(tmp_path, show):
    write_sweep(tmp_path, ("kaiming",), ("tanh", "relu", "leaky_relu"), (0,))
    page = show(write_report(tmp_path), height=9000)
    drawn = (
        "['a', 'b', 'c', 'd'].filter(side => {"
        "const place = document.getElementById(`chart-histograms-${side}`);"
        "return place && place.clientWidth && place.data && place.data.length })"
    )
    assert page.evaluate(drawn) == ["a", "b"]
    page.evaluate(
        "(s => { s.selectedIndex = [...s.options].findIndex(o => o.text === "
        "'by model.activation'); s.dispatchEvent(new Event('change')) })"
        "(document.getElementById('selection'))"
    )
    draw(page)
    draw(page)
    assert page.evaluate(drawn) == ["a", "b", "c"]


def test_the_axis_of_a_level_gradient_spans_two_decades_and_has_labels(tmp_path, show):
    page = show(write_report(Made().write(tmp_path)))
    axis = "document.getElementById('chart-gradients').layout.yaxis"
    low, high = page.evaluate(f"{axis}.range")
    assert high - low == pytest.approx(2)
    assert "1e-4" in page.evaluate(f"{axis}.ticktext")


def test_the_slider_moves_through_the_steps(tmp_path, show):
    run = Made(steps=60, moving=True).write(tmp_path)
    page = show(write_report(run))
    page.evaluate("document.getElementById('step').focus()")
    assert page.evaluate("document.getElementById('step-shown').textContent") == "step 0"
    before = bars(page)
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    draw(page)
    assert page.evaluate("document.getElementById('step-shown').textContent") == "step 59"
    after = bars(page)
    assert len(after) == len(before) == 5 * 30
    assert after != before


def test_play_goes_to_the_last_step_and_stops(sweep, show):
    page = show(sweep)
    page.evaluate("document.getElementById('step').value = document.getElementById('step').max - 1")
    page.click("#play")
    page.evaluate("new Promise(r => setTimeout(r, 1700))")
    assert page.evaluate("document.getElementById('step-shown').textContent") == "step 59"
    assert page.evaluate("document.getElementById('play').textContent") == "▶"


def test_another_run_and_another_quantity_can_be_chosen(sweep, show):
    page = show(sweep)
    before = bars(page)
    page.evaluate(
        "(s => { s.selectedIndex = (s.selectedIndex + 1) % s.length;"
        "s.dispatchEvent(new Event('change')) })(document.getElementById('run-a'))"
    )
    draw(page)
    other = bars(page)
    assert other != before
    choose(page, "histogram-what", "activation_grad_log10")
    assert bars(page) != other
    choose(page, "histogram-scale", "own")
    choose(page, "gradient-when", "end")
    choose(page, "loss-tag", "'train/loss'".replace("'", '"'))
    choose(page, "loss-steps", "log")
    choose(page, "heatmap-steps", "log")
    assert page.evaluate("document.getElementById('chart-losses').layout.xaxis.type") == "log"


def test_the_legend_switches_a_colour_off_and_on_in_all_charts(sweep, show):
    page = show(sweep)
    count = "document.getElementById('chart-gradients').data.length"
    whole = page.evaluate(count)
    page.click("#losses .legend button")
    assert page.evaluate(count) == whole // 2
    page.click("#gradients .legend button")
    assert page.evaluate(count) == whole


def test_the_button_changes_light_to_dark(sweep, show):
    page = show(sweep)
    ink = "document.getElementById('chart-losses').layout.font.color"
    light = page.evaluate(ink)
    page.click("#theme")
    assert page.evaluate(ink) != light
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 26)"
    page.click("#theme")
    assert page.evaluate(ink) == light


def test_a_heading_sorts_the_table(sweep, show):
    page = show(sweep)
    ranks = "[...document.querySelectorAll('.ranked .rank')].map(cell => cell.textContent).join('')"
    assert page.evaluate(ranks) == "1234"
    page.click(".ranked thead th:nth-child(3) .sort")
    assert page.evaluate(ranks) == "1234"
    page.click(".ranked thead th:nth-child(3) .sort")
    assert page.evaluate(ranks) == "4321"


def test_charts_stand_in_the_order_of_their_numbers_and_not_of_rank(sweep, show):
    page = show(sweep)
    page.evaluate("REPORT.groups = [10, 5, 20].map(depth => ({ facet: `model.depth=${depth}` }))")
    assert page.evaluate("facets()") == ["model.depth=5", "model.depth=10", "model.depth=20"]


def test_charts_below_the_screen_wait(sweep, show):
    page = show(sweep, height=300)
    drawn = "document.querySelectorAll('.js-plotly-plot').length"
    assert page.evaluate(drawn) < len(CHARTS)
    page.evaluate("document.getElementById('repeat').scrollIntoView()")
    page.evaluate("new Promise(r => setTimeout(r, 500))")
    assert page.evaluate("!!document.querySelector('#chart-phases.js-plotly-plot')")


def test_hostile_names_are_shown_and_not_run(tmp_path, show):
    for init in ("kaiming", "random"):
        run = Made(init).write(tmp_path)
        name = json.dumps(f"init={HOSTILE}<b>{init}")
        (run / ".hydra" / "overrides.yaml").write_text(f"- {name}\n- model.activation={name}\n")
        run.rename(tmp_path / f"<b>bold<a href=x>{init}<img src=x onerror=alert(3)>")
    page = show(write_report(tmp_path))
    page.evaluate("void (window.alert = () => { throw new Error('a name was run') })")
    page.click("#theme")
    assert page.evaluate("document.querySelectorAll('img, svg a').length") == 0
    shown = page.evaluate("document.getElementById('chart-histograms-a').textContent")
    assert "<b>bold<a href=x>kaiming<img src=x onerror=alert(3)>" in shown


def test_a_single_run_draws(tmp_path, show):
    page = show(write_report(Made(depth=1).write(tmp_path)))
    assert page.evaluate("document.querySelectorAll('.js-plotly-plot').length") >= 3
