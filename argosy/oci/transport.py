"""HTTP as a registry needs it: authentication, patience with busy servers, and errors that name the host.

Credentials and tokens go to the registry's own origin and to a token server that serves it, and nowhere else: redirects
are followed here, not by the HTTP library, and a foreign host is asked without them.
"""

from __future__ import annotations

import email.utils
import http.cookiejar
import ipaddress
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlencode, urljoin, urlsplit

import requests
import urllib3

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.oci import certificates, challenge, credentials
from argosy.oci.challenge import Challenge, origin
from argosy.oci.credentials import Credentials
from argosy.oci.paced import FilePart, PacedAdapter
from argosy.oci.patience import Patience
from argosy.oci.registry import NotFoundError

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
_BUSY = frozenset({429, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_CONNECTION_ATTEMPTS = 3
_FAILED_ATTEMPTS = 4
_PIECE = 1 << 20

# Opens the request's body afresh, for each time that it is sent.
Body = Callable[[], bytes | Iterable[bytes | FilePart]]


class UnreachableError(ArgosyError):
    """The host does not answer, or stopped in the middle."""


class RefusedError(ArgosyError):
    """The host answered with an error; `codes` are the distribution specification's, if it gave any."""

    def __init__(self, what: str, *, advice: str = "", codes: tuple[str, ...] = ()) -> None:
        super().__init__(what, advice=advice)
        self.codes = codes


class BusyError(ArgosyError):
    """The host asks to be left alone for a while: `after` seconds where it says how long."""

    def __init__(self, what: str, *, advice: str, after: float | None) -> None:
        super().__init__(what, advice=advice)
        self.after = after


class Transport:
    """Requests to one registry (`host[:port]`), which keep its session's token.

    `plain_http` is implied for loopback hosts for which no authority is set (see `certificates`). `patience` is how
    many seconds a busy server is waited for in all.
    """

    def __init__(
        self, host: str, *, account: Credentials | None = None, plain_http: bool = False, patience: float = 60.0
    ) -> None:
        self.host = host
        self._certificates = certificates.find(host)
        # A registry on this machine whose authority is known speaks https as well.
        plain = plain_http or (is_loopback(host) and self._certificates.authority is None)
        self.base = f"{'http' if plain else 'https'}://{host}/"
        self.patience = patience
        self._account = account
        self._authorization: str | None = None
        self._known_surroundings: dict[tuple[str, str, int], tuple[dict[str, str], str | bool]] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, PacedAdapter())
        self._session.headers.update({"User-Agent": "argosy", "Accept-Encoding": "identity"})
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))

    def send(
        self,
        method: str,
        url: str,
        *,
        action: str,
        expected: Collection[int],
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        repeat: bool = True,
    ) -> requests.Response:
        """One request, authenticated where the registry asks for it; the answer's body is not read yet: close it.

        `url` may be relative to the registry. `action` completes the errors: "cannot {action}". With `repeat` a busy
        server (429, 502, 503, 504), a few failures (500) and a broken connection are tried again. Raises NotFoundError
        for an unexpected 404, UnreachableError, BusyError, RefusedError (all of them ArgosyError).
        """
        url = urljoin(self.base, url)
        patience = Patience(self.patience)
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._follow(method, url, headers or {}, body)
            except requests.RequestException as error:
                if not repeat or attempt >= _CONNECTION_ATTEMPTS or not patience.wait():
                    raise self._unreachable(error, action) from None
                continue
            if response.status_code in expected:
                if method == "HEAD" or response.headers.get("Content-Length") == "0":
                    _ = response.content  # nothing, but only who has read it gives the connection back for the next
                return response
            # docker-registry answers 500 to who reads a tag while it is being replaced.
            again = response.status_code in _BUSY or (response.status_code == 500 and attempt < _FAILED_ATTEMPTS)
            if not again or not repeat or not patience.wait(_retry_after(response)):
                with response:
                    raise self._refused(response, action)
            response.close()

    def read(self, response: requests.Response, *, limit: int, action: str) -> bytes:
        """A small answer's body. Raises ArgosyError when it is larger than `limit` or takes too long."""
        deadline = time.monotonic() + self.patience
        data = bytearray()
        try:
            for piece in response.iter_content(65536):
                data += piece
                if len(data) > limit:
                    raise ArgosyError(f"{self.host} answered with more than {limit} bytes: cannot {action}")
                if time.monotonic() > deadline:
                    raise ArgosyError(f"{self.host} answers too slowly: cannot {action}", advice="try again later")
        except requests.RequestException as error:
            raise self._unreachable(error, action) from None
        return bytes(data)

    def pieces(self, response: requests.Response, *, action: str) -> Iterator[bytes]:
        """A large answer's body, piece by piece. Raises UnreachableError when it breaks off or hardly moves."""
        try:
            # Not iter_content, which waits until it has a whole piece.
            while piece := response.raw.read1(_PIECE, decode_content=False):
                yield piece
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error, action) from None

    def _follow(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> requests.Response:
        for _ in range(_MOST_REDIRECTS):
            response = self._authenticated(method, url, headers, body)
            target = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or method not in ("GET", "HEAD") or target is None:
                return response
            response.close()
            target = urljoin(url, target)
            if origin(url)[0] == "https" != origin(target)[0]:
                raise ArgosyError(f"{self.host} redirects from https to {origin(target)[0]}, which is not followed")
            url = target
        raise ArgosyError(f"{self.host} redirects more than {_MOST_REDIRECTS} times")

    def _authenticated(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> requests.Response:
        ours = origin(url) == origin(self.base)
        response = self._once(method, url, headers, body, self._authorization if ours else None)
        if response.status_code != 401 or not ours:
            return response
        authorization = self._answer(challenge.parse(response.headers.get("WWW-Authenticate", "")))
        if authorization is None or authorization == self._authorization:
            return response
        response.close()
        self._authorization = authorization
        return self._once(method, url, headers, body, authorization)

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None, authorization: str | None
    ) -> requests.Response:
        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            # Given as `auth`, so that a netrc file is not consulted behind our back.
            if authorization is not None:
                request.headers["Authorization"] = authorization
            return request

        proxies, authority = self._surroundings(url)
        ours = self._certificates if origin(url) == origin(self.base) else None
        return self._session.request(
            method,
            url,
            headers=dict(headers),
            data=None if body is None else cast("Any", body()),
            auth=authorize,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
            proxies=proxies,
            verify=authority if ours is None or ours.authority is None else str(ours.authority),
            cert=None if ours is None or ours.own is None else (str(ours.own[0]), str(ours.own[1])),
        )

    def _surroundings(self, url: str) -> tuple[dict[str, str], str | bool]:
        """The proxies and the authorities that the environment has for this URL's host.

        The library would look through all of the environment at each request, which costs more than the request does.
        """
        place = origin(url)
        if place not in self._known_surroundings:
            proxies = {} if is_loopback(place[1]) else requests.utils.get_environ_proxies(url, None)
            bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
            self._known_surroundings[place] = (proxies, bundle)
        return self._known_surroundings[place]

    def _answer(self, challenges: list[Challenge]) -> str | None:
        """The Authorization header that answers a challenge of the registry itself; None when there is no answer."""
        for asked in challenges:
            if asked.scheme == "bearer" and "realm" in asked.parameters:
                return "Bearer " + self._token(asked.parameters)
            if asked.scheme == "basic" and self._account is not None and self._account.identity_token is None:
                return self._account.basic()
        return None

    def _token(self, parameters: Mapping[str, str]) -> str:
        """A bearer token from the realm; with credentials only where the realm may see them."""
        realm = urljoin(self.base, parameters["realm"])
        if origin(self.base)[0] == "https" != origin(realm)[0]:
            raise ArgosyError(f"{self.host} names a token server without https, which is not asked")
        _, host, port = origin(realm)
        account = self._account if challenge.serves(realm, self.base) else None
        if account is None:
            account = credentials.find(f"{host}:{port}", environment=False) or credentials.find(host, environment=False)
        query = [(key, parameters[key]) for key in ("service",) if key in parameters]
        action = f"get a token from {host} for {self.host}"
        try:
            if account is not None and account.identity_token is not None:
                response = self._refreshed(realm, query, parameters.get("scope", ""), account.identity_token)
            else:
                query += [("scope", scope) for scope in parameters.get("scope", "").split()]
                url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
                response = self._once("GET", url, {}, None, None if account is None else account.basic())
        except requests.RequestException as error:
            raise self._unreachable(error, action, host) from None
        with response:
            if response.status_code == 200:
                answer = self.read(response, limit=challenge.LARGEST_ANSWER, action=action)
                return challenge.token(answer, f"the answer of {host}")
            raise ArgosyError(
                f"cannot {action}: it answered {response.status_code}",
                advice=_LOGIN if account is None else "it does not accept the user name and password",
            )

    def _refreshed(self, realm: str, query: list[tuple[str, str]], scope: str, token: str) -> requests.Response:
        """A token for an identity token (distribution, "OAuth2 Token Authentication")."""
        form = [("grant_type", "refresh_token"), ("client_id", "argosy"), ("refresh_token", token), ("scope", scope)]
        body = urlencode([*query, *form]).encode()
        return self._once("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, lambda: body, None)

    def _unreachable(self, error: Exception, action: str, host: str = "") -> UnreachableError:
        """The failure in words; the library's own would show URLs and objects."""
        text = str(error)
        if isinstance(error, requests.exceptions.SSLError):
            if "WRONG_VERSION" in text or "record layer" in text:
                reason, advice = "it does not speak https", "--plain-http asks it without encryption"
            else:
                reason, advice = (
                    "its certificate is not accepted",
                    f"put its authority into ~/.config/argosy/certs.d/{self.host}/ca.crt, or set $REQUESTS_CA_BUNDLE",
                )
        elif isinstance(error, requests.exceptions.ProxyError):
            reason, advice = "the proxy does not answer", "look at $HTTPS_PROXY and $NO_PROXY"
        elif "refused" in text:
            reason, advice = "connection refused", "is the registry running, and is the port right?"
        elif "resolve" in text or "Name or service" in text:
            reason, advice = "there is no such host", "check the host's name"
        elif isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
            reason, advice = "no answer in time", "try again later"
        else:
            reason, advice = "the connection broke", "try again"
        return UnreachableError(f"cannot {action}: {host or self.host}: {reason}", advice=advice)

    def _refused(self, response: requests.Response, action: str) -> ArgosyError:
        status = response.status_code
        codes = _codes(response)
        explained = f" ({', '.join(codes)})" if codes else ""
        what = f"cannot {action}: {urlsplit(response.url).netloc} answered {status}{explained}"
        if status == 401:
            known = "it does not accept the user name and password" if self._account is not None else _LOGIN
            return ArgosyError(what, advice=known)
        if status == 403:
            return ArgosyError(what, advice="your account has no right to do this there; ask who runs the registry")
        if status == 404:
            return NotFoundError(what, advice="check repository and tag; `argosy list` shows what is there")
        if status == 405:
            return ArgosyError(what, advice="this registry does not do that, or was told not to")
        if status in _BUSY:
            return BusyError(what, advice="the registry is busy; try again later", after=_retry_after(response))
        return RefusedError(what, codes=codes)


def is_loopback(host: str) -> bool:
    """Whether `host[:port]` is this machine itself, where http is good enough."""
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host
    name = name.partition(":")[0] if name.count(":") == 1 else name
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _codes(response: requests.Response) -> tuple[str, ...]:
    """The error codes in the answer's body (distribution specification, "Error codes"), never its free text."""
    try:
        data = next(response.iter_content(65536), b"")
        errors = strict_json.read(data, "the answer").get("errors")
    except (ArgosyError, requests.RequestException):
        return ()
    codes = [one.get("code") for one in errors[:3] if isinstance(one, dict)] if isinstance(errors, list) else []
    return tuple(code for code in codes if isinstance(code, str) and code.replace("_", "").isalpha() and len(code) < 50)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait, given as seconds or as a date (RFC 9110, section 10.2.3)."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


_LOGIN = (
    f"set ${credentials.USER_VARIABLE} and ${credentials.PASSWORD_VARIABLE}, or put the host into ~/.docker/config.json"
    " (`argosy login` does)"
)
