"""python -m rewardmodel.training.scoring.featurise RESPONSES OUT.npz [--cache DIR] [--encoder NAME]"""

from __future__ import annotations

import argparse
import io
import sys
from functools import partial
from pathlib import Path

import numpy as np

from rewardmodel.training import data, encoder, features, files
from rewardmodel.training.scoring import time_limit


def main(arguments: list[str] | None = None) -> int:
    """The features a first run would give these responses: 0 and OUT.npz, or 1 and the reason on standard
    error; what is embedded when it is stopped stays in the cache.

    OUT.npz: response_id (n,), features (n, f) float32, standardised over these responses.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.training.scoring.featurise", description="Features without an ensemble."
    )
    parser.add_argument("responses", type=Path, help="a file with the columns of responses.parquet")
    parser.add_argument("out", type=Path)
    time_limit.add_options(parser)
    given = parser.parse_args(arguments)
    return time_limit.carry_out(lambda report: _featurise(given, report), given.seconds)


def _featurise(given: argparse.Namespace, report: encoder.Report) -> None:
    responses = data.read_responses(given.responses)
    embed = partial(
        encoder.embed,
        encoder.locate(given.encoder, None, given.windows),
        cache=given.cache or given.out.parent / "cache",
        report=report,
    )
    raw = features.of_responses(embed, responses)
    standardised = features.standardisation(raw).apply(raw)
    buffer = io.BytesIO()
    np.savez(buffer, response_id=np.array(responses.ids, dtype=np.str_), features=standardised)
    files.write_bytes(given.out, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
