"""Which server, and who asks: the address, and the access token, which is kept nowhere."""

import base64
import binascii
import json
import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

from seqgcn.exceptions import ConfigError

KEY, URL = "LABEL_STUDIO_API_KEY", "LABEL_STUDIO_URL"
"""Environment variables with the token and the address of the server, as Label Studio's own SDK names them."""


def check_url(url: str) -> str:
    """The address of a server as it is kept: without a slash at its end.

    Args:
        url: As somebody wrote it, such as `"http://localhost:8080/"`; below a path, if the server is.

    Raises:
        ConfigError: It is no address of a server, or has a password in it.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{url!r} is no web address ({error}); give one such as http://localhost:8080") from error
    if parts.scheme not in ("http", "https") or not host or any(letter.isspace() for letter in url):
        raise ConfigError(f"{url!r} is no address of a server; give it whole, such as http://localhost:8080")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"the address of {host} has a user or a password in it, which would be kept with the round; leave it out, "
            f"and put the access token into {KEY}"
        )
    head, page, rest = parts.path.partition("/projects")
    if page:
        number = rest.strip("/").partition("/")[0]
        named = f" and --project {number}" if number.isdigit() else ""
        raise ConfigError(
            f"{url} is a page of a project; give the server alone: {parts.scheme}://{parts.netloc}{head}{named}"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api')}"


def find_token(url: str) -> str:
    """The access token for a server: of `LABEL_STUDIO_API_KEY`, else the password of its host in the netrc file.

    Args:
        url: Address of the server.

    Raises:
        ConfigError: There is none, or it cannot be one.
    """
    if token := os.environ.get(KEY, "").strip():
        return check_token(token, KEY)
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    host = urlsplit(url).hostname or ""
    try:
        entry = netrc.netrc(path).hosts.get(host) if path.is_file() else None
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); mend it, or put the token into {KEY}") from error
    if entry is not None and entry[2]:
        return check_token(entry[2].strip(), f"{path}, {host}")
    raise ConfigError(
        f"no access token for {url}: copy one from the page Account & Settings of Label Studio and put it into the "
        f"environment variable {KEY}, or as the password of the machine {host} into {path}"
    )


def check_token(token: str, where: str) -> str:
    """A token that can be sent.

    Args:
        token: The token.
        where: It is from, for the message, which does not show it.

    Raises:
        ConfigError: It has blanks, or letters that no token has.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"{where} holds no access token: one has letters, digits and dots alone; copy it anew")
    return token


def kind_of(token: str) -> str:
    """What a token is: `"legacy"`, `"refresh"` (a personal access token) or `"access"` (made of one, for minutes)."""
    parts = token.split(".")
    if len(parts) != 3:
        return "legacy"
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return "legacy"
    kind = payload.get("token_type") if isinstance(payload, dict) else None
    return "access" if kind == "access" else "refresh"
