"""Sort more rows than memory should hold: sorted runs spill to files and are merged."""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

RUN_ROWS = 50_000

Row = tuple[Any, ...]


def sorted_rows(
    rows: Iterable[Row], key: Callable[[Row], Any], folder: Path, *, run_rows: int = RUN_ROWS
) -> Iterator[Row]:
    """Yield `rows` (tuples of JSON scalars) in order of `key`, holding at most twice `run_rows` of them.

    The input is read to its end before this returns; all runs but the last become files in `folder`, which
    the caller removes. Floats survive exactly.
    """
    source = iter(rows)
    run = sorted(islice(source, run_rows), key=key)
    paths: list[Path] = []
    following = list(islice(source, run_rows))
    while following:
        path = folder / f"run-{len(paths)}.jsonl"
        with path.open("w", encoding="utf-8") as stream:
            for row in run:
                stream.write(json.dumps(row) + "\n")
        paths.append(path)
        run = sorted(following, key=key)
        following = list(islice(source, run_rows))
    return heapq.merge(*(_read(path) for path in paths), run, key=key)


def _read(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield tuple(json.loads(line))
