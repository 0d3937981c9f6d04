"""What the site has beside docs/: the pages at the top of the repository, and those of the rules.

MkDocs calls these functions by their names (mkdocs.yml, `hooks`).
"""

from __future__ import annotations

import re
from pathlib import Path

import rule_pages  # beside this file, whose folder MkDocs adds to the path
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
RULES = ROOT / "src/layerscope/diagnose/pages"
PAGES = {"README.md": "index.md"} | {
    name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
}
"""At the top of the repository: its name on the site."""

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)([^)\s]*)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add a page for each rule below "Findings"."""
    rules = sorted(rule_pages.pages())
    for section in config.nav or ():
        if "Findings" in section:
            section["Findings"] += [{rule: f"rules/{rule}.md"} for rule in rules]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the top of the repository, with their links as here, and those of rules."""
    for name, site_name in PAGES.items():
        text = with_links((ROOT / name).read_text(encoding="utf-8"), ROOT)
        files.append(File.generated(config, site_name, content=text))
    for rule, text in rule_pages.pages().items():
        files.append(File.generated(config, f"rules/{rule}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Point from a page of docs/ to one at the top of the repository, or to a rule's."""
    if page.file.abs_src_path is None:  # added above
        return markdown
    return with_links(markdown, Path(page.file.abs_src_path).parent)


def with_links(markdown: str, folder: Path) -> str:
    """A page with its links as they are on the site; what the site does not have is named only.

    Args:
        markdown: of a page in the repository.
        folder: that its links start from.
    """
    up = "../" * len(folder.relative_to(ROOT / "docs").parts) if folder != ROOT else ""

    def link(found: re.Match[str]) -> str:
        image, text, target, anchor = found.groups()
        path = (folder / target).resolve()
        if path.parent == ROOT and path.name in PAGES:
            return f"{image}[{text}]({up}{PAGES[path.name]}{anchor})"
        if path.parent == RULES:
            return f"{image}[{text}]({up}rules/{path.name}{anchor})"
        if not path.is_relative_to(ROOT / "docs"):
            return text
        if folder == ROOT:
            return f"{image}[{text}]({path.relative_to(ROOT / 'docs').as_posix()}{anchor})"
        return found[0]

    return _LINK.sub(link, markdown)
