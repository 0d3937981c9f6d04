"""`layerscope digest RUN_DIR`: what a program needs to know of a run, as JSON.

From its event files, without PyTorch, of a run that is still going on too. The findings are those
that the run's own judge comes to.
"""

from argparse import Namespace

from layerscope.commands.diagnose import judged_again
from layerscope.digest import digest_of
from layerscope.digest.bounded import as_text
from layerscope.events.reader import read_run
from layerscope.exit_codes import ExitCode
from layerscope.lab.status import RunStatus
from layerscope.refusal import refuse
from layerscope.run_state import state_of, unfinished
from layerscope.sinks.figures_event import figures_of


def run(options: Namespace) -> int:
    """Print the digest; 2 if the run cannot be used."""
    try:
        findings, _ = judged_again(options.run)
        figures = figures_of(read_run(options.run))
    except (OSError, ValueError) as error:
        return refuse(error)
    assert figures is not None  # else there was nothing to judge
    run = options.run.resolve()
    status = RunStatus.read(run)
    told = (None, None) if status is None else (status.state, status.process)
    how_far = unfinished(run, lambda: int(figures.steps[-1]))
    print(as_text(digest_of(run.name, state_of(run, *told), status, figures, findings, how_far)))
    return ExitCode.FINISHED
