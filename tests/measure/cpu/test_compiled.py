"""Some installations have no folder that numba could keep its kernels in."""

import importlib.util
import warnings

import pytest

from layerscope.measure.cpu import compiled


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel in a module beside which, and in whose user's home, no folder can be made.

    Permissions would not do: they do not bind root, who runs many a container.
    """
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    for path in (home, tmp_path / "__pycache__"):
        path.write_text("in the way")
    monkeypatch.setenv("HOME", str(home))
    file = tmp_path / "doubled.py"
    file.write_text("def doubled(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("doubled", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compiled._tell_of_no_cache.cache_clear()
    return module.doubled


def test_without_a_place_for_a_cache_kernels_are_compiled_and_it_is_told_once(kernel):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        first, second = compiled.jit(kernel), compiled.jit(kernel)
    (warning,) = told
    assert "found no folder to keep them in; set NUMBA_CACHE_DIR" in str(warning.message)
    assert first(3) == second(3) == 6
    assert first.stats.cache_path is None


def test_where_there_is_a_place_kernels_are_kept_and_nothing_is_told(kernel, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "kept"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled.jit(kernel)(3) == 6
    assert list((tmp_path / "kept").rglob("*.nbi"))


def test_a_kernel_is_compiled_anew_where_another_file_has_changed(kernel, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "kept"))

    def found_in_the_cache():
        compiled_kernel = compiled.jit(kernel)
        assert compiled_kernel(3) == 6
        return bool(compiled_kernel.stats.cache_hits)

    assert [found_in_the_cache(), found_in_the_cache()] == [False, True]
    monkeypatch.setattr(compiled, "contents_of", lambda _: "of files that were changed")
    assert [found_in_the_cache(), found_in_the_cache()] == [False, True]


def test_what_is_kept_is_of_all_files_of_the_room(tmp_path):
    (tmp_path / "cpu").mkdir()
    for file in (tmp_path / "layout.py", tmp_path / "cpu" / "kernel.py"):
        compiled.contents_of.cache_clear()
        before = compiled.contents_of(tmp_path)
        file.write_text("changed = True")
        compiled.contents_of.cache_clear()
        assert compiled.contents_of(tmp_path) != before
