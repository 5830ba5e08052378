"""Requests to a Label Studio server and its answers: JSON in and out, every failure in words that say the way out."""

import http.client
import json
import re
import ssl
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from seqgcn.exceptions import ServerError
from seqgcn.integrations.label_studio.tokens import KEY, kind_of
from seqgcn.utils.messages import counted

MOST_BYTES = 2**28
"""An answer with more is no answer of this API."""

PAUSES = (1.0, 3.0)
"""Seconds before a request that changes nothing is tried again."""

PASSING = (429, 502, 503, 504)
"""Answers of a server that may be there again in a moment."""

NEW_TOKEN = f"copy a new one from the page Account & Settings of Label Studio into {KEY}"


class _Stay(HTTPRedirectHandler):
    """Follows no redirection: a token must not go to another host, nor a POST become a GET."""

    def redirect_request(self, *_arguments: Any, **_options: Any) -> None:
        return None


class Connection:
    """What asks a server on behalf of the owner of a token.

    Args:
        url: Of the server, as `check_url` gives it.
        token: A legacy token or a personal access token; of the latter, short-lived ones are made as they are needed.
        timeout: Seconds that an answer may take.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 120.0) -> None:
        self.url, self.timeout = url, timeout
        self._token, self._kind, self._access = token, kind_of(token), ""
        self._opener: OpenerDirector = build_opener(_Stay)

    def __repr__(self) -> str:
        return f"Connection({self.url!r})"

    def get(self, path: str, query: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()) -> Any:
        """What the server answers; tried again where it may be there again in a moment.

        Raises:
            ServerError: It cannot be reached, refuses, or answers something else than JSON.
        """
        return self._json("GET", _with(path, query))

    def send(self, method: str, path: str, content: Any, query: Mapping[str, Any] | None = None) -> Any:
        """The answer to content that is sent as JSON, once.

        Raises:
            ServerError: As for `get`.
        """
        return self._json(method, _with(path, query or {}), json.dumps(content).encode(), "application/json")

    def upload(self, path: str, files: Sequence[tuple[str, bytes]], query: Mapping[str, Any]) -> Any:
        """The answer to files.

        Args:
            path: Of the API.
            files: Names, letters of ASCII without quotes, and contents.
            query: What is asked of them.

        Raises:
            ServerError: As for `get`.
        """
        mark = uuid.uuid4().hex
        parts = []
        for number, (name, content) in enumerate(files):
            # One field a file: of several with one name, the server takes the last.
            head = f'--{mark}\r\nContent-Disposition: form-data; name="file{number}"; filename="{name}"\r\n'
            parts += [head.encode(), b"Content-Type: application/octet-stream\r\n\r\n", content, b"\r\n"]
        body = b"".join([*parts, f"--{mark}--\r\n".encode()])
        return self._json("POST", _with(path, query), body, f"multipart/form-data; boundary={mark}")

    def fetch(self, path: str) -> bytes | None:
        """A file of the server; None if it refuses.

        Raises:
            ServerError: It cannot be reached.
        """
        try:
            return self._answer("GET", path, None, "")
        except ServerError as error:
            if error.status is None or error.status >= 500:
                raise
            return None

    def _json(self, method: str, path: str, data: bytes | None = None, kind: str = "") -> Any:
        content = self._answer(method, path, data, kind)
        try:
            return json.loads(content)
        except ValueError as error:
            raise ServerError(self._no_json(content)) from error

    def _answer(self, method: str, path: str, data: bytes | None, kind: str) -> bytes:
        """The answer's content; of what changes nothing, after up to three tries."""
        for pause in (*(PAUSES if method == "GET" else ()), None):
            try:
                return self._authorized(method, path, data, kind)
            except ServerError as error:
                if pause is None or not error.passing:
                    raise
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _authorized(self, method: str, path: str, data: bytes | None, kind: str) -> bytes:
        if self._kind != "refresh":
            name = "Token" if self._kind == "legacy" else "Bearer"
            return self._once(method, path, data, kind, f"{name} {self._token}")
        fresh = not self._access
        if fresh:
            self._access = self._refreshed()
        try:
            return self._once(method, path, data, kind, f"Bearer {self._access}")
        except ServerError as error:
            if error.status != 401 or fresh:
                raise
        self._access = self._refreshed()
        return self._once(method, path, data, kind, f"Bearer {self._access}")

    def _refreshed(self) -> str:
        """A token for some minutes, of the personal access token."""
        body = json.dumps({"refresh": self._token}).encode()
        try:
            content = self._once("POST", "/api/token/refresh/", body, "application/json", "")
        except ServerError as error:
            if error.status == 401:
                raise ServerError(
                    f"{self.url} does not accept this personal access token: it expired, was revoked, or is of another "
                    f"server; {NEW_TOKEN}",
                    status=401,
                ) from error
            if error.status == 404:
                raise ServerError(
                    f"{self.url} knows no personal access tokens; use its legacy token in {KEY}, and check that the "
                    "address is that of a Label Studio",
                    status=404,
                ) from error
            raise
        try:
            return str(json.loads(content)["access"])
        except (ValueError, TypeError, LookupError) as error:
            raise ServerError(self._no_json(content)) from error

    def _once(self, method: str, path: str, data: bytes | None, kind: str, authorization: str) -> bytes:
        headers = {"Accept": "application/json, */*", "User-Agent": "seqgcn"}
        headers |= {"Authorization": authorization} if authorization else {}
        headers |= {"Content-Type": kind} if data is not None else {}
        # check_url lets http and https pass alone.
        request = Request(self.url + path, data, headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                content: bytes = answer.read(MOST_BYTES + 1)
        except HTTPError as error:
            raise self._refusal(error, path, len(data or b"")) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        if len(content) > MOST_BYTES:
            raise ServerError(f"{self.url} answers with more than {MOST_BYTES >> 20} MiB; check the address")
        return content

    def _unreachable(self, error: Exception) -> ServerError:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return ServerError(
                f"the certificate of {self.url} cannot be verified ({reason.verify_message}); if it is your own "
                "authority's, name its file in SSL_CERT_FILE"
            )
        if isinstance(reason, ssl.SSLError):
            return ServerError(f"{self.url} does not speak https ({reason.reason}); try http://")
        if isinstance(reason, TimeoutError):
            text = f"{self.url} did not answer within {self.timeout:g} s; check that it is at work, and try again"
            return ServerError(text, passing=True)
        if isinstance(reason, http.client.HTTPException) and not isinstance(reason, OSError):
            if isinstance(reason, http.client.IncompleteRead):
                return ServerError(f"{self.url} broke off in the middle of an answer; try again", passing=True)
            return ServerError(f"what answers at {self.url} is no web server ({reason}); check the address")
        told = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return ServerError(
            f"cannot reach {self.url} ({told}); check the address, that Label Studio is running, and that no proxy is "
            "in between (no_proxy)",
            passing=True,
        )

    def _refusal(self, error: HTTPError, path: str, sent: int) -> ServerError:
        """The error of an answer that is none of success."""
        status = error.code
        try:
            content = error.read(2**16)
        except (OSError, http.client.HTTPException):
            content = b""
        finally:
            error.close()
        told = _told(content)
        if 300 <= status < 400:
            target = error.headers.get("Location", "elsewhere")
            text = (
                f"{self.url} redirects to {target[:200]}; if that is the same server, give its address as it stands "
                "there; if it is a page to sign in, the server is behind a proxy that the token does not pass"
            )
        elif status == 401 and told is not None:
            text = f"{self.url} does not accept this access token ({told}); {NEW_TOKEN}"
            if "legacy token" in told:
                text = (
                    f"{self.url} accepts legacy tokens no more; make a personal access token on the page Account & "
                    f"Settings of Label Studio and put it into {KEY}"
                )
        elif status == 403 and told is not None:
            text = f"{self.url}: the owner of this access token may not do that ({told}); ask who runs the server"
        elif status == 413:
            text = f"{self.url} refuses {counted(sent, 'byte')} at once; its proxy has to let more pass"
        elif told is None:
            text = self._no_json(content, status)
        elif status >= 500:
            text = f"{self.url} failed ({status}, {told}); look at its log, and try again"
        else:
            text = f"{self.url} refuses {path.partition('?')[0]} ({status}, {told})"
        return ServerError(text, status=status, passing=status in PASSING)

    def _no_json(self, content: bytes, status: int = 200) -> str:
        """What to say of an answer that is a web page, or nothing known."""
        text = content[:4096].decode("utf-8", "replace")
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
        what = f"the web page {' '.join(title[1].split())[:80]!r}" if title else "something else than JSON"
        page = " (a proxy, or a page to sign in)" if "<" in text else ""
        return f"{self.url} answers {status} with {what}{page}; check that it is the address of a Label Studio"


def _with(path: str, query: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _told(content: bytes) -> str | None:
    """What an answer of the API says went wrong; None if it is none of the API."""
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return str(answer)[:200]
    wrong = answer.get("validation_errors")
    if isinstance(wrong, dict) and wrong:
        return "; ".join(f"{key}: {' '.join(map(str, value))}" for key, value in wrong.items() if value)[:500]
    return str(answer.get("detail", ""))[:200] or "no reason given"
