"""Annotators without eyes: each a keep-alive connection with a session that answers without a pause."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from benchmarks.annotate import stage

LONGEST = 120.0  # seconds a crowd works, at most


class Annotator(Protocol):
    """One person; `cycle` answers an item and has the next one, and says what each of its requests took."""

    def cycle(self) -> dict[str, float]: ...


@dataclass
class Visitor:
    """A browser's connection with its cookies: as little work as possible, for it shares the cores."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, bytes]:
        """Status and body. A connection that the server closed meanwhile is opened anew, once."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= headers or {}
        try:
            return self._send(method, path, body, sent)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.connection = None
            return self._send(method, path, body, sent)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.request(method, path, body=body, headers=dict(headers))
        response = self.connection.getresponse()
        content = response.read()
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, content


def measure(system: str, crowd: Sequence[Annotator], cycles: int) -> dict[str, Any]:
    """Everybody does two cycles unmeasured, then up to `cycles` each, all together."""
    start = threading.Barrier(len(crowd) + 1)
    stop = threading.Event()

    def work(annotator: Annotator) -> list[dict[str, float]]:
        for _ in range(2):
            annotator.cycle()
        start.wait()
        taken = []
        while len(taken) < cycles and not stop.is_set():
            taken.append(annotator.cycle())
        stop.set()  # from here on the crowd would be smaller
        return taken

    load = stage.load_average()
    with ThreadPoolExecutor(len(crowd)) as pool:
        working = [pool.submit(work, annotator) for annotator in crowd]
        start.wait()
        begun = time.perf_counter()
        stop.wait(LONGEST)
        seconds = time.perf_counter() - begun
        stop.set()
        taken = [cycle for one in working for cycle in one.result()]
    row: dict[str, Any] = {"system": system, "annotators": len(crowd), "cycles": len(taken)}
    row["cycles_per_s"] = round(len(taken) / seconds, 1)
    for part in ("next", "submit", "both"):
        spread = stage.spread([cycle[part] for cycle in taken if part in cycle] or [float("nan")])
        row |= {f"{part}_{name}": value for name, value in spread.items() if not name.startswith("max")}
    row["load"] = load
    print(stage.in_words(row), flush=True)
    return row
