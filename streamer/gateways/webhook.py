"""Every alarm message as an HTTP POST, in order, from a thread of its own; decides nothing."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import time
from collections import deque
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamer.message import require
from streamer.outputs.alarm_message import alarm_record, encode

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.gateway_sections import WebhookGateway
    from streamer.line_ports import LineView
    from streamer.line_status import Command

_LOG = logging.getLogger(__name__)
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_CLOSE_S = 1.5
SHORTEST_SECRET = 16
AGAIN = (408, 425, 429)  # of the 4xx, those that may go better later (RFC 9110, 6585, 8470)


@dataclass(frozen=True, slots=True)
class Post:
    """One message: `name` is (publisher, sequence), by which a receiver knows what it has."""

    name: str
    body: bytes
    made_s: float


class Webhook:
    """Posts what is news; see line_ports.Gateway.

    A message is repeated, and those after it wait, until it is taken (2xx), refused (another 4xx or
    3xx) or older than `keep_s`. When too many wait, the oldest goes. Each that went untold is
    counted, logged and said in the header X-Linescan-Dropped. What was active before this began is
    posted again, as the sink tells it.
    """

    def __init__(self, settings: WebhookGateway) -> None:
        """Begin to post.

        Raises:
            OSError: the secret cannot be read; the text names it.
            ValueError: it is too short.
        """
        self._settings = settings
        self._secret = _read_secret(settings.secret_file) if settings.secret_file else b""
        self._waiting: deque[Post] = deque()
        self._changed, self._closing = Condition(), False
        self.dropped = 0
        self._thread = Thread(target=self._post_for_ever, name="webhook", daemon=True)
        self._thread.start()

    def show(self, view: LineView) -> None:
        """Queue the news of a view; returns at once.

        Raises:
            OSError: the thread has ended.
        """
        if not self._thread.is_alive():
            host = urlsplit(self._settings.url).hostname  # not the path, which may be a secret
            msg = f"the webhook to {host} must run, got: its thread has ended; see the log"
            raise OSError(msg)
        if not view.news or view.status is None:
            return
        publisher, now_s = view.status.publisher, time.monotonic()
        posts = [
            Post(f"{publisher}/{one.sequence}", encode(alarm_record(one, publisher)), now_s)
            for one in view.news
        ]
        with self._changed:
            self._waiting.extend(posts)
            while len(self._waiting) > self._settings.most_waiting:
                self._drop(self._waiting.popleft(), "too many wait")
            self._changed.notify()

    def take_commands(self) -> tuple[Command, ...]:
        """Nobody asks anything through a webhook."""
        return ()

    def close(self) -> None:
        """Post what waits for at most two seconds; may be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(LONGEST_CLOSE_S)

    def _post_for_ever(self) -> None:
        pause_s = FIRST_PAUSE_S
        while (post := self._first()) is not None:
            told = self._post(post)
            with self._changed:
                if told != "again":
                    self._done(post, told)
                    pause_s = FIRST_PAUSE_S
                    continue
                if self._closing:
                    return
                self._changed.wait_for(lambda: self._closing, pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _first(self) -> Post | None:
        """The oldest message, when there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting[0] if self._waiting else None

    def _done(self, post: Post, fault: str) -> None:
        if self._waiting and self._waiting[0] is post:  # else it was pushed out meanwhile
            self._waiting.popleft()
            if fault:
                self._drop(post, fault)

    def _drop(self, post: Post, why: str) -> None:
        self.dropped += 1
        if self.dropped in (1, 10, 100) or self.dropped % 1000 == 0:
            _LOG.warning("did not post %s (%d so far): %s", post.name, self.dropped, why)

    def _post(self, post: Post) -> str:
        """Try once: "" when it was taken, "again", or why it never will be."""
        try:
            status = self._send(post)
        except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: a host name
            fault = f"{type(error).__name__}: {error}"
        else:
            if 200 <= status < 300:
                return ""
            fault = f"the server answered {status}"
            if 300 <= status < 500 and status not in AGAIN:
                return fault
        is_old = time.monotonic() - post.made_s > self._settings.keep_s
        return fault if is_old else "again"

    def _send(self, post: Post) -> int:
        target = urlsplit(self._settings.url)
        kind = (
            http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(target.hostname or "", target.port, timeout=self._settings.timeout_s)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        try:
            connection.request("POST", path, post.body, self._headers(post))
            return connection.getresponse().status
        finally:
            connection.close()

    def _headers(self, post: Post) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "linescan",
            "X-Linescan-Message": post.name,
            "X-Linescan-Dropped": str(self.dropped),
        }
        if self._secret:
            headers["X-Linescan-Signature"] = signature(self._secret, int(time.time()), post.body)
        return headers


def signature(secret: bytes, sent_s: int, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 (RFC 2104) over the time of sending, a dot and the body.

    A receiver refuses what is old, so that nobody can send again what was heard once.
    """
    digest = hmac.new(secret, b"%d." % sent_s + body, hashlib.sha256).hexdigest()
    return f"t={sent_s},v1={digest}"


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        msg = f"gateways.webhook.secret_file must be readable, got {path}: {error.strerror}"
        raise OSError(msg) from error
    rule = f"the secret in {path} must have at least {SHORTEST_SECRET} bytes"
    require(len(secret) >= SHORTEST_SECRET, rule, len(secret))
    return secret
