"""A process that trains when it is told to, block by block, and says what each block took.

`overhead.py` starts one for each way to train. Its commands are lines of JSON on standard input,
its answers lines of JSON on standard output:

    {"net": "gpt", "way": "Lightning", "device": "cpu", "threads": 1}   a training is made ready
    {"go": true}                                                       its next block is trained

The answer to the first is {"blocks": n}, to each of the n others {"wall": s, "cpu": s}, in seconds;
the last comes when the training's end, which is not in it, is over. CPU time is that of all threads
of the process.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from nets import NETS, Net
from training import WAYS, Batches


class Blocks:
    """Times blocks of steps, and waits for the word before each.

    Args:
        net: says which steps make a block: see `Net.block_ends`.
        device: on CUDA, a block's time ends when its kernels have run.
        answers: where lines go.

    Attributes:
        last: what the block that ended last took.
    """

    def __init__(self, net: Net, device: str, answers: Any) -> None:
        self._ends = net.block_ends
        self._waits = device == "cuda"
        self._answers = answers
        self._began: tuple[float, float] | None = None
        self.last: dict[str, float] = {}

    def at_step(self, step: int) -> None:
        """A step is about to begin; may wait for the word."""
        if step not in self._ends:
            return
        if self._waits:
            torch.cuda.synchronize()
        wall, cpu = time.perf_counter(), time.process_time()
        if self._began is None:
            self.answer({"blocks": len(self._ends) - 1})
        else:
            self.last = {"wall": wall - self._began[0], "cpu": cpu - self._began[1]}
            if step == self._ends[-1]:
                return
            self.answer(self.last)
        if not sys.stdin.readline():  # whoever asked is gone
            raise SystemExit
        self._began = time.perf_counter(), time.process_time()

    def answer(self, content: dict[str, Any]) -> None:
        """Write a line."""
        print(json.dumps(content), file=self._answers, flush=True)


def main() -> None:
    """Train what comes, until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("layerscope").setLevel(logging.ERROR)  # a fixed batch has its findings
    warnings.filterwarnings("ignore")
    for line in sys.stdin:
        command = json.loads(line)
        torch.set_num_threads(command["threads"])
        net, device = NETS[command["net"]], command["device"]
        blocks = Blocks(net, device, answers)
        batches = Batches(net.batch_on(device), net.steps + 1, blocks.at_step)
        with tempfile.TemporaryDirectory() as folder:
            WAYS[command["way"]](net, batches, device, Path(folder))
        blocks.answer(blocks.last)


if __name__ == "__main__":
    main()
