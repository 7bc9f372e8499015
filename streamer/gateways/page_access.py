"""Who may ask the operator page what; knows no line and no alarm."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamer.gateway_sections import is_loopback
from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COOKIE = "linescan_page"
COMMAND_HEADER = "X-Linescan"  # no form and no foreign page can set it without being asked before
SHORTEST_TOKEN = 16
OPEN_PATHS = ("/healthz", "/readyz")  # probes of an orchestrator carry no secrets
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def read_token(path: Path) -> str:
    """The secret in a file.

    Raises:
        OSError: it cannot be read; the text names it.
        ValueError: it is too short to be a secret.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"gateways.page.token_file must be readable, got {path}: {error.strerror}"
        raise OSError(msg) from error
    rule = f"the token in {path} must have at least {SHORTEST_TOKEN} characters"
    require(len(token) >= SHORTEST_TOKEN, rule, len(token))
    return token


@dataclass(frozen=True, slots=True)
class Access:
    """Without a token the page is for this machine alone, whatever name a request calls it by."""

    token: str = ""

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the token."""
        return hmac.new(self.token.encode(), b"linescan page", hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Compare in constant time."""
        return bool(self.token) and _are_same(given, self.token)

    def refusal(self, path: str, headers: Mapping[str, str], cookie: str) -> str:
        """Why a request is not answered; "" when it is."""
        if not self.token:
            # A foreign name that resolves to this machine must not read what is here.
            known = is_loopback(_host_name(headers.get("Host", "")))
            return "" if known else "the host must be this machine; set gateways.page.token_file"
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        bears = scheme.lower() == "bearer" and self.is_token(given.strip())
        if bears or _are_same(cookie, self.cookie) or path in OPEN_PATHS:
            return ""
        return "a token is needed: /?token=... in a browser, Authorization: Bearer ... elsewhere"


def command_refusal(headers: Mapping[str, str]) -> str:
    """Why a command is not taken, as another site's page might have sent it; "" when it is."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return "Content-Type must be application/json"
    if COMMAND_HEADER not in headers:
        return f"the header {COMMAND_HEADER} must be given"
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("Host"):
        return "Origin must be this page"
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return "Sec-Fetch-Site must be same-origin"
    return ""


def _are_same(given: str, known: str) -> bool:
    """Compare in constant time; what HTTP gave may hold bytes that are no UTF-8."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), known.encode())


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
