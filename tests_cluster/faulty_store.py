"""An S3 server on the loopback address, some of whose requests fail or hang."""

import contextlib
import logging
import random
import threading
import urllib.request
from collections import Counter
from urllib.parse import quote

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "photos"
SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


class FaultyStore:
    """moto behind a middleware that lets some of the requests for files fail or hang.

    Which ones follows from their path, and from how often that was asked for.
    """

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.failing = self.hanging = 0.0  # shares of the requests
        self.requests = Counter()  # by path
        self.faults = Counter()  # by kind
        self.hung, self.ended, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def serving(self):
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            self._ask("POST", "moto-api/reset")  # its content is that of the process
            self._ask("PUT", BUCKET)
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def put(self, key, content):
        self._ask("PUT", f"{BUCKET}/{key}", content)

    def _ask(self, method, path, content=b""):
        # What urllib says by itself, moto reads as a form; who signs nothing may replace nothing.
        headers = {"Content-Type": "image/png", "Authorization": SIGNED}
        address = f"{self.address}/{quote(path)}"
        request = urllib.request.Request(address, content, headers, method=method)
        urllib.request.urlopen(request).close()

    @contextlib.contextmanager
    def faults_of(self, failing, hanging):
        self.failing, self.hanging = failing, hanging
        self.requests.clear()
        self.faults.clear()
        try:
            yield self
        finally:
            self.failing = self.hanging = 0.0

    def _answer(self, environ, start):
        path = environ["PATH_INFO"]
        with self._lock:
            self.requests[path] += 1
            drawn = random.Random(f"{path} {self.requests[path]}").random()
            is_read = environ["REQUEST_METHOD"] in ("GET", "HEAD")
            fault = self._fault(path, drawn) if is_read else "none"
            self.faults[fault] += 1
        if fault == "fails":
            status = "500 Internal Server Error" if self.requests[path] % 2 else "503 Slow Down"
            start(status, [("Content-Length", "0")])
            return []
        if fault == "denied":
            start("403 Forbidden", [("Content-Length", "0")])
            return []
        if fault == "hangs":
            self.hung.set()
            self.ended.wait()
        if fault == "trickles":
            start("200 OK", [("Content-Length", str(1 << 20))])
            return self._trickle(environ["REQUEST_METHOD"])
        return self._app(environ, start)

    def _fault(self, path, drawn):
        always = [kind for kind in ("fails", "hangs", "trickles", "denied") if kind in path]
        if always:
            return always[0]
        if drawn < self.failing:
            return "fails"
        return "hangs" if drawn < self.failing + self.hanging else "none"

    def _trickle(self, method):
        """A byte now and then, which no limit of a driver takes for silence."""
        while method == "GET" and not self.ended.wait(0.2):
            self.hung.set()
            yield b"x"
