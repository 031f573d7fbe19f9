"""What stands between the network and every page: the token, the origin of a post, the name of the host, and the CSP.

Nothing here knows what a page shows.
"""

from __future__ import annotations

import ipaddress
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "label_quality_token"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_MOST_BYTES = 4 << 20  # of a post: a thousand decisions with their masks
_HEADERS = {
    # Styles may stand in attributes: plotly sets them. Scripts may come from here only, and none may stand in a page.
    "content-security-policy": "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that is bound to `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """ASGI middleware. With a token, whoever knows it may come from anywhere; without, only this machine is served.

    Raises ValueError for an empty token, which everybody knows.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        if token is not None and not token.strip():
            raise ValueError("a token needs at least one character")
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no page opens a socket

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        if self._token is None:
            # A page elsewhere may give its own name our address; its requests then carry that name.
            if not is_loopback(_host(request)):
                return _no(
                    "this server answers to this machine only; it needs --token to serve others"
                )
        elif not self._knows(request):
            return self._ask(request)
        if request.method not in _SAFE:
            return _cross_site(request) or _too_large(request)
        return None

    def _knows(self, request: Request) -> bool:
        given = request.cookies.get(COOKIE, "")
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given = value
        return self._is_token(given)

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self._token or "").encode())

    def _ask(self, request: Request) -> Response:
        """A link with the token sets the cookie, and leads to itself without it."""
        query = parse_qsl(request.url.query, keep_blank_values=True)
        given = dict(query).get("token")
        if request.method != "GET" or given is None or not self._is_token(given):
            return PlainTextResponse(
                "A token is needed: open the address that `label-quality review` printed.", 401
            )
        rest = urlencode([(k, v) for k, v in query if k != "token"])
        path = "/" + request.url.path.lstrip("/\\")  # never //elsewhere
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, given, httponly=True, samesite="lax", secure=secure)
        return answer


def _host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _cross_site(request: Request) -> Response | None:
    """Browsers say where a post comes from; what is no browser has no cookie that could be abused."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in (None, "same-origin"):
        return _no("posts from other sites are refused")
    if origin is not None and _place(origin) != request.headers.get("host"):
        return _no("posts from other sites are refused")
    # No form can send this type, and a script elsewhere would have to ask first.
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return PlainTextResponse("application/json is expected", 415)
    return None


def _too_large(request: Request) -> Response | None:
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        return PlainTextResponse("a length is needed", 411)
    if int(length) > _MOST_BYTES:
        return PlainTextResponse("that is too much at once", 413)
    return None


def _no(why: str) -> Response:
    return PlainTextResponse(why, 403)
