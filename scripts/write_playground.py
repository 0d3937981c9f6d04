"""`make playground`: docs/lesson/playground.html, a page to play with trained networks.

python scripts/write_playground.py [--file docs/lesson/playground.html] [--processes 2]

Trains all nets of `playground_nets.AXES`, a quarter of an hour on two cores, and packs what was
seen of them into one page that needs no network. Each shape is kept in logs/playground as it is
done, so that a run that was cut off goes on where it was; a change of the code trains all anew.
"""

import gzip
import hashlib
import json
import os
import pickle
import sys
import time
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process for each core serves small nets better
from layerscope.commands.one_sentence_parser import OneSentenceParser  # noqa: E402
from layerscope.page.template import scripts, styles  # noqa: E402
from layerscope.whole_file import write_whole  # noqa: E402
from scripts.playground_nets import AXES, KEPT, STEPS, Shape, train_shape  # noqa: E402

FILE = ROOT / "docs" / "lesson" / "playground.html"
KEPT_SHAPES = ROOT / "logs" / "playground"
SHAPES = list(product(AXES["activation"], AXES["depth"], AXES["width"]))
LOSS_STEPS = [*range(0, STEPS, 4), STEPS - 1]


def half(values: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """The upper halves of float32 numbers, rounded: three digits."""
    exact = np.ascontiguousarray(values, np.float32)
    bits = exact.view(np.uint32)
    return np.where(np.isfinite(exact), (bits + 0x8000) >> 16, bits >> 16).astype(np.uint16)


def loss_codes(loss: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """4096 ln(1 + loss), so that all losses have four digits; 65535 for what is not finite."""
    exact = np.asarray(loss, np.float64)
    finite = np.isfinite(exact)
    codes = np.minimum(np.round(4096 * np.log1p(np.where(finite, exact, 0))), 65534)
    return np.where(finite, codes, 65535).astype(np.uint16)


def packed(shapes: Sequence[Shape]) -> str:
    """What playground.js unpacks: gzip of the length of a JSON, the JSON, and arrays, as base64."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "loss": loss_codes(np.stack([shape.loss[..., LOSS_STEPS] for shape in shapes])),
        "counts": np.stack([shape.counts for shape in shapes]),
        **{
            name: half(np.stack([getattr(shape, name) for shape in shapes]))
            for name in ("edges", "std", "grad", "theory_std", "theory_grad")
        },
    }
    sentences: dict[tuple[str, ...], int] = {}
    findings = [
        [
            sentences.setdefault(
                (each.rule, each.severity, each.explanation, each.remedy), len(sentences)
            )
            for each in of_net
        ]
        for shape in shapes
        for of_net in shape.findings
    ]
    about = {
        "axes": AXES,
        "kept": KEPT,
        "loss_steps": LOSS_STEPS,
        "arrays": {
            name: {"size": array.size, "bytes": array.itemsize} for name, array in arrays.items()
        },
        "sentences": list(sentences),
        "findings": findings,
    }
    head = json.dumps(about, separators=(",", ":")).encode()
    parts = [len(head).to_bytes(4, "little"), head, *(each.tobytes() for each in arrays.values())]
    return b64encode(gzip.compress(b"".join(parts), 9, mtime=0)).decode("ascii")


def page(shapes: Sequence[Shape]) -> str:
    """The whole page."""
    here = ROOT / "scripts"
    environment = Environment(loader=FileSystemLoader(here), undefined=StrictUndefined)
    return environment.get_template("playground.html").render(
        nets=f"{sum(len(shape.findings) for shape in shapes):,}",
        steps=STEPS,
        css=f"{styles('layerscope.ward', 'page.css')}{(here / 'playground.css').read_text()}",
        charts=scripts("layerscope.ward", "charts.js"),
        script=(here / "playground.js").read_text(),
        data=packed(shapes),
    )


def code() -> str:
    """A digest of what a shape comes from: the package, and four scripts."""
    scripts = ("playground_nets", "watched_nets", "stacked_rows", "many_nets")
    files = sorted((ROOT / "src" / "layerscope").rglob("*.py"))
    files += [ROOT / "scripts" / f"{name}.py" for name in scripts]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def trained(
    processes: int, shapes: Sequence[tuple[Any, ...]] = SHAPES, keep: Path = KEPT_SHAPES
) -> list[Shape]:
    """All shapes, in their order; those that `keep` has of this very code are not trained again.

    Says how far it is.
    """
    began, folder = time.monotonic(), keep / code()
    folder.mkdir(parents=True, exist_ok=True)
    files = {shape: folder / "_".join(map(str, shape)) for shape in shapes}
    # The slowest first, so that no process is left alone with one.
    slowest_first = sorted(shapes, key=lambda shape: -shape[1] * (20 + shape[2]))
    missing = [shape for shape in slowest_first if not files[shape].exists()]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(train_shape, *shape): shape for shape in missing}
        for count, job in enumerate(as_completed(jobs), len(shapes) - len(missing) + 1):
            part = files[jobs[job]].with_suffix(".part")
            part.write_bytes(pickle.dumps(job.result()))
            part.replace(files[jobs[job]])
            seconds = time.monotonic() - began
            print(f"{count} of {len(shapes)} shapes, {seconds:.0f} s", flush=True)
    return [pickle.loads(files[shape].read_bytes()) for shape in shapes]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 2, and a sentence, for an argument that cannot be used."""
    parser = OneSentenceParser(description="Write a page to play with trained networks.")
    parser.add_argument("--file", type=Path, default=FILE, help="default: docs/lesson/")
    parser.add_argument("--processes", type=int, default=2, help="side by side")
    options = parser.parse_args(arguments)
    if options.processes < 1:
        parser.error(f"--processes must be at least 1, got {options.processes}")
    if not options.file.parent.is_dir():
        parser.error(f"--file must be in a folder that is there, got {options.file}")
    shapes = trained(options.processes)
    write_whole(options.file, page(shapes))
    agree = sum(shape.agrees for shape in shapes)
    print(f"{options.file}, {options.file.stat().st_size / 1e6:.1f} MB")
    print(f"{agree} of {len(shapes)} nets that were also trained alone have the same findings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
