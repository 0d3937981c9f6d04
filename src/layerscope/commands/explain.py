"""`layerscope explain RULE`: what a finding means, how it is judged, and what to do.

Without PyTorch, from the pages in the package: it answers at once.
"""

import json
from argparse import Namespace
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from layerscope.diagnose.findings.sureness import sure_sentence, sureness_of
from layerscope.diagnose.rule_page import RulePage, page_names, page_of
from layerscope.exit_codes import ExitCode
from layerscope.refusal import refuse


def run(options: Namespace) -> int:
    """Print a rule's page, or a line for each rule if none is named; 2 if there is none so named.

    A terminal gets it rendered, a file or a pipe the Markdown itself.
    """
    if options.rule is None:
        _print_list(as_json=options.json)
        return ExitCode.FINISHED
    if options.rule not in page_names():
        wanted = options.rule.lower().replace("-", "_")
        near = get_close_matches(wanted, page_names(), n=1, cutoff=0.5)
        told = f"the nearest is {near[0]}" if near else "`layerscope explain` lists them"
        return refuse(f"there is no rule named {options.rule!r}; {told}")
    page = page_of(options.rule)
    if options.json:
        print(json.dumps(explained(page), indent=1))
        return ExitCode.FINISHED
    text = f"{page.markdown()}\n{sure_sentence(page.rule)}"
    console = Console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        print(text)
    return ExitCode.FINISHED


def explained(page: RulePage) -> dict[str, Any]:
    """A rule's page as plain types; `sure` is None where it was not met in the test programs."""
    sure = sureness_of(page.rule)
    return {**asdict(page), "sure": sure and sure.as_json()}


def _print_list(*, as_json: bool) -> None:
    pages = [page_of(name) for name in page_names()]
    if as_json:
        told = [{"rule": page.rule, "says": page.says} for page in pages]
        print(json.dumps(told, indent=1))
        return
    console, width = Console(), max(len(page.rule) for page in pages)
    if console.is_terminal:  # a sentence goes on below itself, not below the rule
        table = Table.grid(padding=(0, 2))
        for page in pages:
            table.add_row(page.rule, page.says)
        console.print(table)
        return
    for page in pages:
        print(f"{page.rule:{width}}  {page.says}")
