"""python -m rewardmodel.training.scoring.embed TEXTS.parquet OUT.npz [--cache DIR] [--encoder NAME]"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rewardmodel.training import encoder, files
from rewardmodel.training.failure import ScoringInputError
from rewardmodel.training.scoring import time_limit


def main(arguments: list[str] | None = None) -> int:
    """Embed texts: 0 and OUT.npz, or 1 and the reason on standard error; what is embedded
    when it is stopped stays in the cache.

    TEXTS.parquet has a column `text`; OUT.npz holds vectors (n, d) float32, a row for each text in its order.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.training.scoring.embed", description="Embed texts."
    )
    parser.add_argument("texts", type=Path)
    parser.add_argument("out", type=Path)
    time_limit.add_options(parser)
    given = parser.parse_args(arguments)
    return time_limit.carry_out(lambda report: _embed(given, report), given.seconds)


def _embed(given: argparse.Namespace, report: encoder.Report) -> None:
    try:
        texts = pq.read_table(given.texts, columns=["text"])["text"].to_pylist()
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        raise ScoringInputError(f"{given.texts} is no Parquet file with a column text ({error}).") from None
    if not texts or None in texts:
        raise ScoringInputError(f"{given.texts} has {len(texts)} texts, some of them none: give one or more.")
    located = encoder.locate(given.encoder, None, given.windows)
    vectors = encoder.embed(located, texts, given.cache or given.out.parent / "cache", report=report)
    buffer = io.BytesIO()
    np.savez(buffer, vectors=vectors)
    files.write_bytes(given.out, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
