"""The template of a page, and the styles and scripts that go into it."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


@cache
def template(package: str, name: str) -> Template:
    """A template of a package; all that is put into it is escaped, but for what is Markup."""
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def styles(package: str, *names: str) -> Markup:
    """The style sheets of a package, behind the one that all pages have."""
    return _texts("layerscope.page", "theme.css") + _texts(package, *names)


def scripts(package: str, *names: str) -> Markup:
    """The scripts of a package, behind those that all pages have."""
    return _texts("layerscope.page", "dom.js", "theme.js") + _texts(package, *names)


def _texts(package: str, *names: str) -> Markup:
    return Markup("".join(files(package).joinpath(name).read_text("utf-8") for name in names))
