"""A worker ends with the sweep that it works for."""

import json
import signal
import subprocess
import sys
import time

from layerscope.process_identity import ProcessIdentity

WORKER = """
import json, sys, time
from layerscope.lab.sweep.sweep import end_with
from layerscope.process_identity import ProcessIdentity
end_with(ProcessIdentity.own())
end_with(ProcessIdentity.of_json(json.loads(sys.argv[1])))
print("waits", flush=True)
time.sleep(120)
"""


def test_a_worker_ends_soon_after_its_sweep_was_killed_and_not_before():
    sweep = subprocess.Popen(
        [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(120)"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    worker = None
    try:
        assert sweep.stdout.readline() == "here\n"
        own = ProcessIdentity.own()
        identity = ProcessIdentity.of_pid(sweep.pid)
        assert (identity.host, identity.boot) == (own.host, own.boot)
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, json.dumps(identity.as_json())],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert worker.stdout.readline() == "waits\n"
        time.sleep(1.5)
        assert worker.poll() is None
        sweep.kill()
        assert worker.wait(timeout=60) == -signal.SIGTERM
    finally:
        for process in filter(None, (sweep, worker)):
            process.kill()
            process.communicate(timeout=30)
