"""What comes after the last job of a sweep: what has become of the jobs, and the exit code."""

import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from omegaconf import OmegaConf

from layerscope.exit_codes import ExitCode
from layerscope.lab.status import RunStatus
from layerscope.lab.sweep.sweep import Sweep
from layerscope.refusal import refuse

_ORDER = ("finished", "failed", "died", "interrupted", "not started")
_OF_HYDRA = "multirun.yaml"  # the config of a sweep
_FOUND = "optimization_results.yaml"  # as Hydra's plugin for Optuna calls it


def run_to_its_end(start: Callable[[], int | None], compare: Callable[[Path, bool], object]) -> int:
    """Start Hydra's main, and call `end` if it was a sweep, whatever has ended it; the exit code.

    Args:
        start: gives an exit code, or None for 0.
    """
    code = 0
    try:
        code = start() or 0
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except Exception as error:  # of a launcher: the jobs' own failures are caught
        if Sweep.begun is None:
            raise
        if _began(Sweep.begun) or Sweep.begun.debug:  # a worker has died, say
            traceback.print_exc()
            code = ExitCode.FAILED
        else:
            first = (str(error).splitlines() or [""])[0]
            code = refuse(f"no job could be started: {type(error).__name__}: {first}")
    return code if Sweep.begun is None else end(Sweep.begun, code, compare)


def _began(sweep: Sweep) -> dict[Path, RunStatus]:
    """The jobs that have begun, with how they stand."""
    return {job: status for job in sweep.jobs() if (status := RunStatus.read(job))}


def end(sweep: Sweep, code: int, compare: Callable[[Path, bool], object]) -> int:
    """Say what has become of the jobs, and compare them.

    A job whose status is still "running" has died with its process.

    Args:
        code: what Hydra ended with.
        compare: called with the sweep's folder, and whether a page is wanted. If it raises, its
            traceback is printed.

    Returns:
        The exit code: 130 or 143 if a signal ended the sweep; else 2 if no job could begin; 1 if a
        job has not finished, or something else has failed; 4 if monitor.fail_on refuses a finding
        of a job; 0 if none of this is so.
    """
    assert sweep.folder is not None
    begun = _began(sweep)
    stopped = code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    if not begun:
        (sweep.folder / _OF_HYDRA).unlink(missing_ok=True)
        return code if stopped else ExitCode.BAD_SETTING
    # A search that has run to its end may have proposed some of its jobs more than once.
    expected = sweep.total if sweep.names or code else len(begun)
    states = Counter({"not started": expected - len(begun)})
    print()
    for job, status in begun.items():
        state = status.state
        if state == "running":
            state = "interrupted" if stopped else "died"
            print(f"{job.name}: {state}, its process has ended without a word")
        elif state != "finished":
            print(f"{job.name}: {state}: {status.reason}".splitlines()[0])
        states[state] += 1
    whole = states["finished"] == expected
    print(
        "Jobs of the sweep:", ", ".join(f"{states[each]} {each}" for each in _ORDER if states[each])
    )
    print(f"sweep: {sweep.folder}")
    if not whole:
        print("sweep.resume=true with this sweep.folder runs what has not finished")
    try:
        if (sweep.folder / _FOUND).exists():
            found = OmegaConf.load(sweep.folder / _FOUND)
            values = " ".join(f"{key}={value}" for key, value in found.best_params.items())
            print(f"best: {values}, {sweep.objective} {found.best_value:.4g}")
        compare(sweep.folder, sweep.report)
    except Exception:
        traceback.print_exc()
        code = code or ExitCode.FAILED
    if stopped:
        return code
    if code or not whole:
        return ExitCode.FAILED
    refused = any(status.refused for status in begun.values())
    return ExitCode.REFUSED if refused else ExitCode.FINISHED
