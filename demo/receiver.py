"""The demonstration's webhook receiver: a real HTTP server that verifies every signature.

It is what a hospital would run: it knows the secrets of its endpoints, answers 204 to what is
signed with one of them, and 400 to anything else. Verification is the `standardwebhooks` library's,
not ours.
"""

import json
import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message that arrived with a good signature."""

    path: str
    message_id: str
    event_type: str
    data: dict[str, Any]


class Receiver:
    """Listens on a free port of this machine until `close`."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.arrived: queue.Queue[Arrived] = queue.Queue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                self.send_response(
                    204 if receiver.take(self.path, dict(self.headers), body) else 400
                )
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The demonstration speaks through the terminal; nothing is logged here."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, name: str) -> str:
        """Where the endpoint of one organization is."""
        return f"http://127.0.0.1:{self.port}/{name}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> bool:
        """Keeps a message whose signature is good."""
        secret = self.secrets.get(path.strip("/"))
        if secret is None:
            return False
        lowered = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(secret).verify(body.decode(), lowered)
        except Exception:  # noqa: BLE001 (the library raises several kinds for a bad signature)
            return False
        message = json.loads(body)
        arrived = Arrived(path.strip("/"), lowered["webhook-id"], message["type"], message["data"])
        self.arrived.put(arrived)
        return True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
