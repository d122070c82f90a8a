"""Recordings that a request names instead of sending them: data URIs, and URLs of listed hosts.

Nothing is fetched unless its host is listed. The address is looked up once and must be a public
one, the connection goes to just that address, and redirects are not followed.
"""

import asyncio
import base64
import binascii
import http.client
import ipaddress
import socket
import ssl
from urllib.parse import SplitResult, urlsplit

from catok.serving.config import ServerConfig
from catok.serving.errors import ApiError

TIMEOUT = 10.0  # seconds for every step of a connection


def from_base64(text: str, param: str) -> bytes:
    """The bytes of base64, white space allowed. Raises ApiError on anything else."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(400, f"{param} is no valid base64", param=param) from None


async def read_source(text: str, param: str, config: ServerConfig) -> bytes:
    """A recording by data URI, by URL where that is allowed, else by base64."""
    if text[:5].lower() == "data:":
        head, comma, data = text[5:].partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise ApiError(400, f"{param}: a data URI must be base64", param=param)
        return from_base64(data, param)
    if "://" in text[:20]:
        return await _fetched(text, param, config)
    return from_base64(text, param)


async def _fetched(url: str, param: str, config: ServerConfig) -> bytes:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ApiError(400, f"{param} is no valid URL", param=param) from None
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or host not in config.fetch_hosts or parts.username:
        raise ApiError(
            400,
            f"{param}: this server does not fetch that address; send the recording itself as "
            "base64 or a data URI",
            param=param,
            code="url_not_allowed",
        )
    try:
        return await asyncio.to_thread(_get, parts, host, port, config.max_upload_bytes)
    except ApiError:
        raise
    except (OSError, http.client.HTTPException):
        raise ApiError(400, f"{param} could not be fetched", param=param) from None


def _get(parts: SplitResult, host: str, port: int | None, limit: int) -> bytes:
    port = port or (443 if parts.scheme == "https" else 80)
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = addresses[0][4][0]
    if not all(ipaddress.ip_address(entry[4][0]).is_global for entry in addresses):
        raise ApiError(400, "that host has a private address", code="url_not_allowed")
    connection = _Pinned(str(address), host, port, secure=parts.scheme == "https")
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Host": host, "User-Agent": "catok"})
        response = connection.getresponse()
        if response.status != 200:
            raise ApiError(400, f"the recording's host answers {response.status}")
        data = response.read(limit + 1)
    finally:
        connection.close()
    if len(data) > limit:
        raise ApiError(413, "the recording is too large", code="body_too_large")
    return data


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, with the certificate of the host's name."""

    def __init__(self, address: str, host: str, port: int, *, secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._address, self._name, self._secure = address, host, secure

    def connect(self) -> None:
        """To the address that was checked."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._name)
