"""What a notebook shows of a watcher, a run, and its findings."""

import re
from html.parser import HTMLParser

import pytest
import torch
from torch import nn

import layerscope
from tests.usual_step import descend


class Text(HTMLParser):
    """The words of a page, its images, and whether each tag is closed."""

    def __init__(self, html):
        super().__init__()
        self.words, self.images, self.open = "", [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes)["src"])
        elif tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def words_of(shown):
    page = Text(shown._repr_html_())
    assert page.open == []
    return page.words


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    """A finished run in a folder whose name is markup, and what its watcher said before it."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    with torch.no_grad():
        net[0].weight.mul_(100)
    watcher = layerscope.watch(net, tmp_path_factory.mktemp("a") / "<b>run", summary=False)
    before = words_of(watcher)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    with watcher:
        for _ in range(12):
            descend(watcher, optimizer, net(torch.randn(8, 4)).square().mean())
        during = words_of(watcher)
    return watcher, before, during


def test_a_watcher_says_whether_it_is_open_and_what_it_has_found(sick):
    watcher, before, during = sick
    assert before.endswith("<b>run: not startedno finding")
    assert "<b>run: open, 12 steps" in during
    assert "<b>run: closed, 12 steps" in words_of(watcher)
    assert watcher.findings
    assert all(each.explanation in words_of(watcher) for each in watcher.findings)


def test_a_run_and_its_findings_say_the_same(sick):
    watcher = sick[0]
    run = layerscope.read(watcher.folder)
    assert "<b>run: 12 steps, 2 layers" in words_of(run)
    assert words_of(run).endswith(words_of(run.findings))
    assert words_of(run.findings) == words_of(watcher.findings)
    first = words_of(run.findings[0])
    assert first.startswith("1 ")
    assert run.findings[0].remedy in first


def test_show_adds_pictures_and_prints_the_summary_in_a_terminal(sick):
    shown = layerscope.show(sick[0].folder)
    page = Text(shown._repr_html_())
    assert page.words == words_of(shown.run)
    assert page.images
    assert all(image.startswith("data:image/png;base64,iVBOR") for image in page.images)
    told = "".join(repr(shown).split())
    assert all(f"{each.rule}(" in told for each in shown.run.findings)
    assert re.search(r"files:.*<b>run$", told)
    assert callable(layerscope.show)  # not the module of that name


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        layerscope.show(tmp_path)
