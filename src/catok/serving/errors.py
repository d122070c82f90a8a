"""Errors as OpenAI's clients know them."""

import json
from typing import Any

KINDS = {401: "authentication_error", 404: "not_found_error"}
KINDS |= {408: "timeout_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """An answer that is an error: its HTTP status, a message, and which field is at fault."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """`{"error": {"message", "type", "param", "code"}}`."""
        kind = KINDS.get(
            self.status, "server_error" if self.status >= 500 else "invalid_request_error"
        )
        about = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": about}

    def headers(self) -> dict[str, str]:
        """Those of the answer."""
        headers = {"content-type": "application/json"}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return headers

    def data(self) -> bytes:
        """The body as it is sent."""
        return json.dumps(self.body()).encode()


def as_api_error(error: BaseException) -> ApiError:
    """What a client is told of an exception: nothing of our insides."""
    from catok.serving.jobs import Cancelled

    if isinstance(error, ApiError):
        return error
    if isinstance(error, ValueError | UnicodeError):
        return ApiError(400, str(error))
    if isinstance(error, Cancelled):
        return ApiError(503, "the server stops", code="server_stopping", retry_after=5)
    return ApiError(500, "the server failed; its log says why", code="internal_error")
