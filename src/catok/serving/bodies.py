"""What clients send: JSON, forms with files, bare audio. Bounded, and ApiError on anything else."""

import json
from collections.abc import AsyncGenerator
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from torch import Tensor

from catok.serving.config import MEGABYTE, ServerConfig
from catok.serving.errors import ApiError
from catok.serving.formats import from_pcm

M = TypeVar("M", bound=BaseModel)
FILES, FIELDS = 4, 64  # in a form
IN_MEMORY = MEGABYTE  # bytes of a file; beyond them it lies in a nameless temporary file


async def read_json(request: Request) -> dict[str, Any]:
    """The object in a request's body."""
    data = await request.body()
    if len(data) < IN_MEMORY:
        return parse_object(data)
    return await request.app.state.service.off_loop(lambda: parse_object(data))


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises ApiError on anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ApiError(400, "this is no valid JSON") from None
    if not isinstance(value, dict):
        raise ApiError(400, "this must be a JSON object")
    return value


async def read_form(request: Request, config: ServerConfig) -> FormData:
    """A form, whose files are closed with the request."""
    try:
        form = await request.form(
            max_files=FILES, max_fields=FIELDS, max_part_size=config.max_upload_bytes
        )
    except HTTPException as error:
        raise ApiError(400, f"the form cannot be read: {error.detail}") from None
    except (ValueError, AssertionError, KeyError):
        raise ApiError(400, "the form cannot be read") from None
    request.state.resources.push_async_callback(form.close)
    return form


def is_form(request: Request) -> bool:
    """Whether the body is a form of parts. (curl calls any bare body urlencoded.)"""
    return request.headers.get("content-type", "").startswith("multipart/form-data")


def upload_of(form: FormData, *names: str) -> UploadFile | None:
    """The file of the first of these names that there is."""
    for name in names:
        value = form.get(name)
        if isinstance(value, UploadFile):
            return value
    return None


def fields_of(form: FormData) -> dict[str, Any]:
    """The text fields; those whose name ends in [] as lists."""
    fields: dict[str, Any] = {}
    for name, value in form.multi_items():
        if not isinstance(value, str):
            continue
        if name.endswith("[]"):
            fields.setdefault(name[:-2], []).append(value)
        else:
            fields[name] = value
    return fields


def checked(kind: type[M], fields: dict[str, Any]) -> M:
    """The fields as the model has them. Raises ApiError that names the one at fault."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(each) for each in first["loc"]) or None
        message = first["msg"].removeprefix("Value error, ")
        raise ApiError(400, f"{where}: {message}" if where else message, param=where) from None


async def spooled(request: Request) -> BinaryIO:
    """A bare body as a file, closed with the request."""
    file = cast(BinaryIO, SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
    request.state.resources.callback(file.close)
    async for part in request.stream():
        file.write(part)
    if file.tell() == 0:
        raise ApiError(400, "the body is empty: send a recording")
    file.seek(0)
    return file


def pcm_shape(request: Request, sample_rate: int, channels: int) -> tuple[int, int] | None:
    """Rate and channels of a body of bare 16-bit samples; None if it is a file of some format.

    `Content-Type: audio/pcm; rate=24000; channels=1`, by default those of the model. Raises
    ApiError on other ones: bare samples are not converted.
    """
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    if kind.strip() not in ("audio/pcm", "audio/l16"):
        return None
    pairs = [each.strip().partition("=") for each in parameters if "=" in each]
    given = {name: value for name, _, value in pairs}
    wanted = {"rate": sample_rate, "channels": channels}
    for name, value in wanted.items():
        if given.get(name, str(value)).strip('"') != str(value):
            raise ApiError(
                400, f"bare samples must have {name}={value}: send a WAV file for any other"
            )
    return sample_rate, channels


async def pcm_blocks(request: Request, channels: int) -> AsyncGenerator[Tensor, None]:
    """Audio `[C, n]` of a body of 16-bit samples, as it comes."""
    rest = b""
    width = 2 * channels
    async for part in request.stream():
        data = rest + part
        whole = len(data) // width * width
        rest = data[whole:]
        if whole:
            yield from_pcm(data[:whole], channels)
    if rest:
        raise ApiError(400, "the body ends in the middle of a sample")
