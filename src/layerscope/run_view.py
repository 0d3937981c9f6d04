"""`layerscope.show`: a run in a notebook, or in the terminal."""

from base64 import b64encode
from html import escape
from io import StringIO
from os import PathLike

from rich.console import Console

from layerscope.console.summary import WIDTH, summary
from layerscope.extras import needs
from layerscope.pictures.run_pictures import run_pictures
from layerscope.run import Run, read


class RunView:
    """What `show` gives: a notebook shows findings and pictures, a terminal the summary."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        text = StringIO()
        # Jupyter asks for colours, and rich would display what is to be returned here.
        console = Console(file=text, width=WIDTH, color_system=None, force_jupyter=False)
        console.print(summary(self.run.findings, self.run.folder))
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        """For notebooks: the run, its findings, and each layer over the steps as pictures."""
        return self.run._repr_html_() + self._pictures()

    def _pictures(self) -> str:
        if self.run.figures is None:
            return ""
        try:
            drawn = run_pictures(self.run.figures)
        except ModuleNotFoundError as error:
            if (sentence := needs("a picture of the run", error)) is None:
                raise
            return f"<p>{escape(sentence)}</p>"
        return "".join(
            f'<img alt="{escape(tag)}" style="max-width:100%" '
            f'src="data:image/png;base64,{b64encode(png).decode()}">'
            for tag, png in drawn.items()
        )


def show(folder: str | PathLike[str]) -> RunView:
    """Show a run: the last line of a notebook's cell, or of the prompt.

    Args:
        folder: of the run, as for `read`; it may still go on.

    Raises:
        FileNotFoundError: there is no event file.
        ValueError: the folder is not on this machine, or an event file is corrupt.
    """
    return RunView(read(folder))
