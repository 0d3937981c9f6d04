import os
import sys

import pytest

from layerscope.__main__ import main
from layerscope.reader_gone import while_read


@pytest.mark.parametrize("command", [["explain"], ["predict"]], ids=["print", "rich"])
def test_a_command_whose_reader_has_left_ends_without_a_traceback(monkeypatch, capfd, command):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(command) == 141
        print("what is flushed at exit goes nowhere")
    monkeypatch.undo()
    assert capfd.readouterr() == ("", "")


def test_a_stdout_that_is_closed_takes_what_is_printed(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["explain"]) == 0
    assert main(["diagnose", "nowhere"]) == 2
    monkeypatch.undo()
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is full")
@pytest.mark.parametrize("named", [[], ["saturated"]])  # more than waits in a buffer, and less
def test_a_stdout_whose_disk_is_full_is_one_sentence(monkeypatch, capfd, named):
    with open("/dev/full", "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["explain", *named]) == 1
        print("what is flushed at exit goes nowhere")
    monkeypatch.undo()
    assert capfd.readouterr() == ("", "error: not all could be written: No space left on device\n")


def test_what_else_goes_wrong_is_raised():
    def work():
        raise OSError(13, "Permission denied")

    with pytest.raises(OSError, match="denied"):
        while_read(work)
