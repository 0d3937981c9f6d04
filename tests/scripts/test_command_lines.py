"""A script that takes no argument does nothing where one is typed."""

import importlib

import pytest


@pytest.mark.parametrize("name", ["derive_names", "measure_course", "write_ward"])
def test_what_is_typed_after_a_script_without_arguments_is_refused(name, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", [name, "x"])
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(f"scripts.{name}").main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: x\n"
