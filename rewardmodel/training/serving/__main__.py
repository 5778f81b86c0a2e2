"""python -m rewardmodel.training.serving ENSEMBLE | --follow ROSTER [--port N | --socket PATH] [--lambda X]

The reward server: answers OpenRLHF's, LLaMA-Factory's and Laurel's own requests for rewards with mean - λ·std
(see `serving.shapes`), many clients at a time in one batch. SIGTERM: what has come is answered, then it ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from functools import partial
from pathlib import Path

from rewardmodel.training.failure import TrainingError, explain

HOST, PORT = "127.0.0.1", 5000
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main(arguments: list[str] | None = None) -> int:
    """0 after SIGTERM or SIGINT; 1 and the reason on standard error; 2 for wrong usage."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.ensemble is None) == (given.follow is None):
        parser.error("give either an ensemble folder or --follow FILE")
    token = given.token_file.read_text(encoding="utf-8").strip() if given.token_file else None
    if given.socket is None and given.host not in LOOPBACK and not token:
        words = "give --token-file FILE (./laurel serve-rewards: --token)"
        parser.error(f"others can reach {given.host}: {words}")
    if not 0 <= given.penalty <= 1_000:
        parser.error("--lambda must be between 0 and 1000")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch
    try:
        return _serve(given, token)
    except (TrainingError, OSError, ValueError) as error:
        sys.stderr.write(explain(error).reason + "\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.training.serving", description="Serve rewards."
    )
    parser.add_argument("ensemble", type=Path, nargs="?", help="an ensemble folder")
    parser.add_argument("--follow", type=Path, metavar="ROSTER", help="a file that names what to serve")
    parser.add_argument("--host", default=HOST, help=f"({HOST})")
    parser.add_argument("--port", type=int, default=PORT, help=f"({PORT}; 0: any that is free)")
    parser.add_argument("--socket", type=Path, help="listen on this Unix socket instead")
    parser.add_argument("--lambda", type=float, default=1.0, dest="penalty", help="of mean - λ·std (1)")
    parser.add_argument("--token-file", type=Path, help="holds the token that requests must bring")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, … (cpu)")
    parser.add_argument("--cache", type=Path, help="embeddings on disk, read only")
    parser.add_argument("--batch", type=int, default=256, help="responses scored together (256)")
    parser.add_argument("--wait", type=float, default=4.0, help="milliseconds the first waits for others (4)")
    parser.add_argument("--project", help="said in the answers")
    parser.add_argument("--run", type=int, help="said in the answers")
    return parser


def _serve(given: argparse.Namespace, token: str | None) -> int:
    from rewardmodel.training.scoring import scorer
    from rewardmodel.training.serving import roster, server
    from rewardmodel.training.serving.batching import Batcher

    def load(listing: roster.Listing) -> scorer.Scorer:
        return scorer.load(
            listing.ensemble, cache=given.cache, device=given.device, project=listing.project, run=listing.run
        )

    serves = roster.Roster(load, partial(Batcher, batch=given.batch, wait_seconds=given.wait / 1000))
    if given.follow is not None:
        serves.follow(given.follow)
    else:
        listing = roster.Listing(given.ensemble, given.project, given.run)
        serves.update({given.project: listing})
        served = serves.find(given.project)
        assert served is not None  # noqa: S101
        served.load()  # a folder that cannot be served is said now
    address = given.socket or (given.host, given.port)
    try:
        listening = server.RewardServer(address, serves, server.Options(given.penalty, token))
    except OSError as error:
        where = given.socket or f"{given.host}:{given.port}"
        words = f"{where} cannot be listened on ({error.strerror})"
        sys.stderr.write(f"{words}: give another --host or --port.\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: listening.stop())
    where = given.socket or f"http://{given.host}:{listening.server_port}/get_reward"
    sys.stderr.write(f"Rewards are served at {where}\n")
    sys.stderr.flush()
    listening.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
