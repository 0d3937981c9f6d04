"""Processes that train together, started as torchrun would, and ended after a while."""

import os
import socket
import subprocess
import sys

import pytest
import torch


def run_processes(module, folder, number, timeout):
    """Run `python -m module folder` as each of these ranks; their output is in rank_R.log.

    What they have not come to when the time is over, in seconds, is for the tests to miss.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(number),
        "NODE_RANK": "0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    ranks = []
    for rank in range(number):
        of_rank = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        with (folder / f"rank_{rank}.log").open("w") as log:
            command = [sys.executable, "-m", module, str(folder)]
            ranks.append(
                subprocess.Popen(command, env=environment | of_rank, stdout=log, stderr=log)
            )
    try:
        for process in ranks:
            process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
        pass
    finally:
        for process in ranks:
            process.kill()
            process.wait(timeout=30)


def left_by(folder, case, number):
    """What all ranks left of a case, if they have come to its end."""
    paths = [folder / case / f"rank_{rank}.pt" for rank in range(number)]
    if not all(path.exists() for path in paths):
        logs = [(folder / f"rank_{rank}.log").read_text()[-2000:] for rank in range(number)]
        pytest.fail("\n\n".join(logs))
    return [torch.load(path, weights_only=False) for path in paths]
