"""How fast rewards are served: batch scoring, and requests at the same time, with and without micro-batching.

    python -m benchmarks.serving.run --out benchmarks/serving

Writes throughput.csv and latency.csv. Texts are drawn at random and never repeated, so nothing but prompts
(one in four is new) comes from memory; weights of the heads are random, which costs as much as trained ones.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks import tables
from rewardmodel.training import encoder, ensemble, features, heads
from rewardmodel.training.config import DEFAULT_ENCODER
from rewardmodel.training.scoring import scorer
from rewardmodel.training.scoring.conversation import Exchange, Turn

CLIENTS = {1: 30, 8: 80, 64: 192}  # clients at once: requests in all
SERVER = [sys.executable, "-m", "rewardmodel.training.serving"]
TEXT = """
the of and to in is you that it he was for on are as with his they at be this have from or one had
by word but not what all were we when your can said there use an each which she do how their if will
up other about out many then them these so some her would make like him into time has look two more
write go see number no way could people my than first water been call who oil its now find long down
day did get come made may part
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=300, help="of batch scoring")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = write_ensemble(Path(name) / "ensemble")
        tables.write(given.out / "throughput.csv", throughput(folder, given.texts))
        systems = {
            "micro-batching": [*SERVER, str(folder), "--port", "0"],
            "one request at a time": [*SERVER, str(folder), "--port", "0", "--batch", "1", "--wait", "0"],
            "transformers pipeline": [sys.executable, "-m", "benchmarks.serving.peer"],
        }
        tables.write(given.out / "latency.csv", latencies(systems, Path(name)))


def write_ensemble(folder: Path) -> Path:
    model = encoder.locate(DEFAULT_ENCODER, None, 4)
    width = len(features.SURFACE) + 1 + 2 * 384
    rng = np.random.default_rng(0)
    kept = ensemble.Ensemble(
        parameters=heads.initialise(8, width, 0, rng),
        standardisation=features.Standardisation(np.zeros(width), np.ones(width)),
        encoder=model.name, encoder_revision=model.revision, encoder_commit=None, windows=4,
        temperature=1.0, tau=0.0, criterion="overall", snapshot_sha256="0" * 64,
    )  # fmt: skip
    ensemble.save(folder, kept)
    return folder


def items(count: int, seed: int) -> list[dict[str, str]]:
    """Responses of 20 to 120 words; four to a prompt of 10 to 30."""
    rng = np.random.default_rng(seed)

    def text(low: int, high: int) -> str:
        return " ".join(rng.choice(TEXT.split(), rng.integers(low, high + 1)))

    prompts = [f"{seed} {text(10, 30)}" for _ in range(count // 4 + 1)]
    return [{"prompt": prompts[i // 4], "response": text(20, 120)} for i in range(count)]


def throughput(folder: Path, count: int) -> list[dict[str, object]]:
    """Responses a second of the scorer by itself: nothing known, then everything in memory."""
    exchanges = [Exchange((Turn("user", item["prompt"]),), item["response"]) for item in items(count, 1)]
    model = scorer.load(folder)
    model.score(exchanges[:1])  # loads the network
    rows = []
    for what in ("not embedded before", "embedded before"):
        began = time.perf_counter()
        model.score(exchanges)
        seconds = time.perf_counter() - began
        rss = round(psutil.Process().memory_info().rss / 2**20)
        rows.append(
            {"scoring": what, "responses": count, "per_second": round(count / seconds), "rss_mb": rss}
        )
    return rows


def latencies(systems: dict[str, list[str]], folder: Path) -> list[dict[str, object]]:
    """All systems stand by; each number of clients asks one after the other, so that what else the machine
    does falls on all of them. `cpu_ms` is what the server's process computed for a request: it says most."""
    logs = {system: folder / f"{i}.log" for i, system in enumerate(systems)}
    running = {}
    try:
        for system, words in systems.items():
            with logs[system].open("wb") as output:
                running[system] = subprocess.Popen(words, stderr=output)
        ports = {system: port_of(logs[system], process) for system, process in running.items()}
        for port in ports.values():
            measure(port, 2, 10, seed=0)  # loads and warms
        rows = []
        for clients, requests in CLIENTS.items():
            for system, port in ports.items():
                rows.append({"system": system, **one_row(running[system].pid, port, clients, requests)})
                print(rows[-1], flush=True)
        return rows
    finally:
        for process in running.values():
            process.terminate()
            process.wait()


def one_row(pid: int, port: int, clients: int, requests: int) -> dict[str, object]:
    server = psutil.Process(pid)
    before = sum(server.cpu_times()[:2])
    times, seconds = measure(port, clients, requests, seed=clients)
    cpu = sum(server.cpu_times()[:2]) - before
    low, high, highest = (round(1000 * float(np.quantile(times, q)), 1) for q in (0.5, 0.95, 0.99))
    return {
        "clients": clients, "requests": requests, "per_second": round(requests / seconds, 1),
        "p50_ms": low, "p95_ms": high, "p99_ms": highest, "cpu_ms": round(1000 * cpu / requests, 1),
        "rss_mb": round(server.memory_info().rss / 2**20),
    }  # fmt: skip


def port_of(log: Path, process: subprocess.Popen[bytes]) -> int:
    while "/get_reward" not in log.read_text():
        if process.poll() is not None:
            sys.exit(log.read_text())
        time.sleep(0.1)
    return int(log.read_text().rsplit(":", 1)[1].split("/")[0])


def measure(port: int, clients: int, requests: int, seed: int) -> tuple[list[float], float]:
    """Seconds of every request (one response each), and of all; each client keeps its connection."""
    waiting = items(requests, seed + 100)
    turn, times = threading.Lock(), []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while True:
            with turn:
                if not waiting:
                    return
                body = json.dumps({"items": [waiting.pop()]}).encode()
            began = time.perf_counter()
            connection.request("POST", "/score", body)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            times.append(time.perf_counter() - began)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, time.perf_counter() - began


if __name__ == "__main__":
    main()
