import os
import sys

from layerscope.__main__ import main


def test_a_command_whose_reader_has_left_ends_without_a_traceback(monkeypatch, capfd):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["explain"]) == 141
        print("what is flushed at exit goes nowhere")
    monkeypatch.undo()
    assert capfd.readouterr() == ("", "")
