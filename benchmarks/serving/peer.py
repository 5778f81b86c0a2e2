"""The peer: a plain transformers pipeline with the same encoder and a linear head, behind the same kind of
HTTP server, one request at a time. Its address is printed on standard error."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from transformers import pipeline

from rewardmodel.training import encoder
from rewardmodel.training.config import DEFAULT_ENCODER


def main() -> None:
    folder = encoder.locate(DEFAULT_ENCODER, None, 4).folder
    features = pipeline("feature-extraction", model=str(folder), framework="pt", device="cpu")
    head = np.random.default_rng(0).normal(size=(3 * 384, 8))
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            rewards = []
            with turn:
                for item in body["items"]:
                    x, y = (
                        np.mean(features(item[side], tokenize_kwargs={"truncation": True})[0], axis=0)
                        for side in ("prompt", "response")
                    )
                    rewards.append(float((np.concatenate([x, y, x * y]) @ head).mean()))
            content = json.dumps({"rewards": rewards}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    ThreadingHTTPServer.request_queue_size = 128  # 64 clients come at once
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sys.stderr.write(f"Served at http://127.0.0.1:{server.server_port}/get_reward\n")
    sys.stderr.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
