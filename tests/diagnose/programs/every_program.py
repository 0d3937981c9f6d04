"""All programs, by name: those of each module beside this one whose name begins with `of_`."""

from importlib import import_module
from pkgutil import iter_modules

from tests.diagnose import programs
from tests.diagnose.programs.program import PROGRAMS

__all__ = ["PROGRAMS"]

for _module in iter_modules(programs.__path__):
    if _module.name.startswith("of_"):
        import_module(f"{programs.__name__}.{_module.name}")
