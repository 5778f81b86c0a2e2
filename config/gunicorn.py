"""How the web server runs: ``gunicorn --config python:config.gunicorn config.wsgi``."""

import gc

from config import environment

_host = environment.text("LAUREL_HOST", "127.0.0.1")
_port = environment.integer("LAUREL_PORT", 8000, low=1, high=65535)

bind = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"
worker_class = "gthread"
workers = environment.integer("LAUREL_WEB_WORKERS", 2, low=1, high=64)
threads = environment.integer("LAUREL_WEB_THREADS", 8, low=1, high=64)
timeout = 120
graceful_timeout = 10
keepalive = 5
max_requests = 20_000  # a slow leak in a library ends here
max_requests_jitter = 2_000
accesslog = "-" if environment.boolean("LAUREL_ACCESS_LOG", default=False) else None
loglevel = "warning"
control_socket_disable = True


def post_worker_init(worker: object) -> None:
    """What is loaded stays: the garbage collector need not look through it at every other request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
