"""The reward server's HTTP: one thread a connection, answers from the roster's queues.

The standard library's server does: a request waits for the encoder, which takes milliseconds to seconds, and
both wait and work are bounded here (connections, size of a request, queue), whatever the clients do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import select
import socket
import sys
import threading
import time
import traceback
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel.training.failure import TrainingError
from rewardmodel.training.scoring.conversation import MalformedError
from rewardmodel.training.scoring.scorer import LAMBDA
from rewardmodel.training.serving import shapes
from rewardmodel.training.serving.batching import BusyError, ClosedError
from rewardmodel.training.serving.roster import Roster

LARGEST_BODY = 32 * 2**20  # bytes
SKIPPED_AT_ONCE = 2**16
CONNECTIONS = 512
IDLE_SECONDS = 75.0  # an open connection without a request
ANSWER_SECONDS = 170.0  # OpenRLHF gives up after 180
DRAIN_SECONDS = 30.0
QUIET_SECONDS = 0.3  # without a request, and it may end: one that was just read is not counted yet
FULL = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NOT_HERE = "There are POST /score, POST /get_reward, POST /projects/NAME/score and GET /health."
PATHS = re.compile(r"/(?:score|get_reward|projects/(?P<project>[-\w]+)/score)?/?")


@dataclass(frozen=True)
class Options:
    penalty: float = LAMBDA  # λ of mean - λ·std
    token: str | None = None  # asked for in Authorization: Bearer


class Refused(Exception):
    """A request that is not answered with scores."""

    def __init__(self, status: HTTPStatus, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": message, **more}


class RewardServer(ThreadingHTTPServer):
    """Listens on (host, port), or on a Unix socket where `address` is a path."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int] | Path, roster: Roster, options: Options) -> None:
        self.roster, self.options = roster, options
        self.draining = False
        self._active = 0
        self._counting = threading.Lock()
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        if isinstance(address, Path):
            self.address_family = socket.AF_UNIX
            address.unlink(missing_ok=True)
            super().__init__(str(address), Handler)  # type: ignore[arg-type]
            address.chmod(0o600)
        else:
            self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            super().__init__(address, Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_UNIX:
            self.socket.bind(self.server_address)
            self.server_name, self.server_port = "localhost", 0
        else:
            super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        request.sendall(FULL)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def working(self, change: int) -> None:
        with self._counting:
            self._active += change

    def run(self) -> None:
        """Serve until `stop`; then answer what has come, and return."""
        self.serve_forever(poll_interval=0.1)
        self.draining = True
        while select.select([self.socket], [], [], 0)[0]:  # whoever has knocked already
            self._handle_request_noblock()  # type: ignore[attr-defined]
        self.socket.close()
        deadline = time.monotonic() + DRAIN_SECONDS
        quiet_since = time.monotonic()
        while (now := time.monotonic()) < min(deadline, quiet_since + QUIET_SECONDS):
            if self._active:
                quiet_since = now
            time.sleep(0.02)
        self.roster.close()

    def stop(self) -> None:
        """May be called from a signal handler."""
        threading.Thread(target=self.shutdown, name="stop").start()


class Handler(BaseHTTPRequestHandler):
    server: RewardServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "laurel-rewards", ""
    timeout = IDLE_SECONDS
    wbufsize = -1  # head and body leave in one packet

    def setup(self) -> None:
        super().setup()
        if self.server.address_family != socket.AF_UNIX:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def do_GET(self) -> None:
        if self.path != "/health":
            self._send(HTTPStatus.NOT_FOUND, {"error": NOT_HERE})
            return
        body: dict[str, Any] = {"status": "stopping" if self.server.draining else "ok"}
        if self._token_fits():
            body["projects"] = self.server.roster.about()
        self._send(HTTPStatus.OK, body)

    def do_POST(self) -> None:
        self.server.working(1)
        try:
            try:
                status, body = HTTPStatus.OK, self._answer()
            except Refused as refused:
                status, body = refused.status, refused.body
            except (ConnectionError, TimeoutError):  # the client went away, or sends no more
                raise
            except Exception:  # the trace is in the log; the client hears that it was not their fault
                traceback.print_exc()
                status, body = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "Scoring failed: see the log."}
            self._send(status, body)
        finally:
            self.server.working(-1)

    def _answer(self) -> dict[str, Any]:
        content = self._content()  # whatever comes of it, so that the next request begins where it should
        path = PATHS.fullmatch(self.path.partition("?")[0])
        if path is None:
            raise Refused(HTTPStatus.NOT_FOUND, NOT_HERE)
        served = self.server.roster.find(path["project"])
        if served is None:
            known = ", ".join(sorted(name for name in self.server.roster.names() if name))
            raise Refused(
                HTTPStatus.NOT_FOUND,
                f"No ensemble scores here for that project. There are: {known or 'none'}. "
                "Ask POST /projects/NAME/score.",
            )
        question = _question(content)
        try:
            waiting = served.batcher.submit(question.exchanges)
            scored = waiting.result(ANSWER_SECONDS)
        except (BusyError, ClosedError) as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"{error} Try again.") from None
        except FutureTimeoutError:
            waiting.cancel()  # the client has gone too: what still waits is not scored for nobody
            words = "The answer takes too long. Send fewer responses at once, or try again."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, words) from None
        except TrainingError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, error.reason) from None
        if not np.isfinite(scored.rewards).all():
            words = f"Run {scored.ensemble.run} gives a reward that is no finite number: serve another run."
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, words)
        penalty = self.server.options.penalty if question.penalty is None else question.penalty
        return question.answer(scored, penalty)

    def _content(self) -> bytes:
        size = self.headers.get("Content-Length", "")
        self.close_connection = True  # unless all of it is read
        if not size.isdecimal():
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "Send Content-Length.")
        if int(size) > LARGEST_BODY:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The body has {size} bytes; at most {LARGEST_BODY} are read. Send fewer responses at once.",
            )
        fits = self._token_fits()
        content = self.rfile.read(int(size)) if fits else self._skip(int(size))
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        if not fits:
            raise Refused(HTTPStatus.UNAUTHORIZED, "Send the server's token: Authorization: Bearer TOKEN.")
        return content

    def _skip(self, size: int) -> bytes:
        """What a stranger sends takes up no memory."""
        while size > 0 and (part := self.rfile.read(min(size, SKIPPED_AT_ONCE))):
            size -= len(part)
        return b""

    def _token_fits(self) -> bool:
        """Compared as digests, in constant time."""
        token = self.server.options.token
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return token is None or hmac.compare_digest(_digest(given), _digest(token))

    def _send(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body, allow_nan=False).encode()
        self.close_connection = self.close_connection or self.server.draining
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        return str(self.client_address[0]) if self.client_address else "socket"

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: texts and tokens stay out of logs."""


def _question(content: bytes) -> shapes.Question:
    try:
        return shapes.read(json.loads(content))
    except MalformedError as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), field=error.field) from None
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.") from None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
