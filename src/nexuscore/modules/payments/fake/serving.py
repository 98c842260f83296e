"""The stand-in on a port of its own, in a thread: for tests, and for programs that are not this server."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from nexuscore.modules.payments.fake.server import Stripe


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stripe: Stripe


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.stripe.answer(self.command, self.path, headers, self.rfile.read(length))
        self.send_response(answer.status)
        sent = {**answer.headers, "content-type": answer.media, "content-length": str(len(answer.body))}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names are http.server's

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who calls is us."""


@contextmanager
def serving(stripe: Stripe, port: int = 0) -> Iterator[str]:
    """Serve it on this machine while the block runs; its address, which is its `base` from now on."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.stripe = stripe
    stripe.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stripe.base
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
