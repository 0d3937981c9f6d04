"""A finding reaches the user's function, or their server."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from layerscope.session.settings import Settings
from tests.sinks.loop import train


@pytest.fixture
def server():
    """A web server that keeps what it is sent, and answers with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            made.got.append((self.path, self.headers["Content-Type"], self.rfile.read(length)))
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        made.got, made.status = [], 200
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join(10)


def test_an_address_is_sent_the_finding_as_json(tmp_path, server):
    address = f"http://127.0.0.1:{server.server_port}/hook/secret"
    watcher = train(tmp_path, broken_at=7, on_finding=address)
    ((path, kind, content),) = server.got
    (finding,) = watcher.findings
    sent = json.loads(content)
    assert (path, kind) == ("/hook/secret", "application/json")
    assert sent.pop("run") == str(tmp_path)
    assert sent.pop("text") == (
        f"critical: not_finite in 00_tanh, from step 7: {finding.explanation}"
    )
    assert sent["rule"] == "not_finite"
    assert sent.keys() == finding.as_json().keys()


def test_a_server_that_refuses_is_told_once_without_the_address(tmp_path, server, caplog):
    server.status = 500
    address = f"http://127.0.0.1:{server.server_port}/hook/secret"
    with caplog.at_level(logging.ERROR):
        train(tmp_path, broken_at=7, on_finding=address)
    (told,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert told.startswith("on_finding failed at 127.0.0.1: HTTPError: HTTP Error 500")
    assert "secret" not in caplog.text


def test_a_function_that_fails_is_told_once_and_called_again(tmp_path, caplog):
    called = []

    def fail(finding):
        called.append(finding)
        raise KeyError("channel")

    with caplog.at_level(logging.ERROR):
        for run in ("one", "two"):
            train(tmp_path / run, broken_at=7, on_finding=fail, switched_off=())
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert told == ["on_finding failed: KeyError: 'channel'"] * 2  # once a run
    assert [each.rule for each in called] == ["loss_diverged", "not_finite"] * 2


@pytest.mark.parametrize(
    "wrong", [3, "", "hooks.example.org/x", "ftp://host/x", "https://", "http://["]
)
def test_what_can_get_no_finding_is_refused(wrong):
    with pytest.raises(ValueError, match=r"on_finding must be a function of a finding, or .*, got"):
        Settings(on_finding=wrong)


@pytest.mark.parametrize(
    ("sinks", "told"),
    [
        ("csv", "sinks must be a list of sinks, got 'csv'"),
        ([3], "sinks must hold instances of layerscope.sinks.Sink or names among csv, .*, got 3"),
        (["tsv"], "sinks must hold .* names among csv, .*, wandb, got 'tsv'"),
    ],
)
def test_what_is_no_sink_is_refused(sinks, told):
    with pytest.raises(ValueError, match=told):
        Settings(sinks=sinks)
