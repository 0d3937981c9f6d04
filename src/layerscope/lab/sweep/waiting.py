"""Launchers that wait for all their jobs, though one is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def for_every_job(launcher: str) -> Iterator[None]:
    """Within, the plugins for Ray and submitit return a lost job's exception in its result's place.

    Both collect results in a row, raise at the first job whose worker has died, and forget the
    others, which run on or, with the end of the sweep's process, are killed. Neither has a setting
    for it.

    Args:
        launcher: the class of the launcher, with its module.
    """
    if "hydra_ray_launcher" in launcher:
        import ray

        with _replaced(ray, "get", _returning(ray.get, (ray.exceptions.RayError,))):
            yield
        _leave(ray)
    elif "hydra_submitit_launcher" in launcher:
        from submitit.core import utils
        from submitit.core.core import Job

        lost = (utils.UncompletedJobError, utils.FailedJobError)
        with _replaced(Job, "results", _returning(Job.results, lost, in_list=True)):
            yield
    else:
        yield


def _returning(
    function: Callable[..., Any], lost: tuple[type[Exception], ...], in_list: bool = False
) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except lost as error:
            return [error] if in_list else error

    return call


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _leave(ray: Any) -> None:
    """End the connection while the interpreter is whole: at its exit Ray waits, and warns."""
    sys.stdout.flush()
    ray.shutdown()
