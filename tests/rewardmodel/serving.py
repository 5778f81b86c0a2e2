"""A reward server in this process, and a client for it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rewardmodel.training.serving.roster import Roster
from rewardmodel.training.serving.server import Options, RewardServer


@contextmanager
def serving(roster: Roster, options: Options = Options()) -> Iterator[int]:  # noqa: B008  frozen
    """The port of a server that ends, drained, with the block."""
    server = RewardServer(("127.0.0.1", 0), roster, options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.stop()
        thread.join(30)


def ask(
    port: int, body: Any, path: str = "/get_reward", method: str = "POST", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found
