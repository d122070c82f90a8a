"""`/v1/audio/encode` and `/v1/audio/decode`: audio to codes and back."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, BinaryIO, Literal

import torch
from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from torch import Tensor

from catok.codes import Encoded
from catok.serving.answers import (
    CAT,
    LiveResponse,
    audio_headers,
    begun,
    saved,
    stream_bytes,
    whole_audio,
)
from catok.serving.bodies import (
    is_form,
    parse_object,
    pcm_blocks,
    pcm_shape,
    read_form,
    read_json,
    spooled,
    upload_of,
)
from catok.serving.errors import ApiError, as_api_error
from catok.serving.formats import CONTENT_TYPES
from catok.serving.routes.common import ServiceOf, enter, metrics_of
from catok.serving.service import Service, too_long
from catok.serving.shaping import AudioShaper

router = APIRouter()
LINES = "application/x-ndjson"
LONGEST_LINE = 1 << 20  # bytes
IN_ADDRESS = ("num_quantizers", "response_format", "sample_rate", "stream")

Quantizers = Annotated[int | None, Query(ge=1)]


@router.post("/v1/audio/encode")
async def encode(
    request: Request,
    service: ServiceOf,
    num_quantizers: Quantizers = None,
    response_format: Literal["cat", "json", "jsonl"] = "cat",
) -> Response:
    """Audio, as a file or as bare samples, to a `.cat` file, JSON, or lines of JSON as it goes."""
    tokenizer = service.models.tokenizer
    await enter(request, "codec")
    blocks = await _audio_of(request, service)
    counter = _Counted(blocks, service, metrics_of(request).audio.labels("encode"))
    codes = service.encode(counter, num_quantizers)
    request.state.resources.push_async_callback(codes.aclose)
    if response_format == "jsonl":
        first = await anext(codes, None)
        if first is None:
            raise ApiError(400, "there is no audio in the body")
        return LiveResponse(_lines(first, codes, counter, service), media_type=LINES)
    parts = [each async for each in codes]
    if not parts:
        raise ApiError(400, "there is no audio in the body")
    lengths = torch.tensor([counter.samples], device="cpu")
    encoded = tokenizer.encoded(torch.cat(parts, dim=1)[None], lengths)
    if response_format == "json":
        text = await service.off_loop(lambda: json.dumps(as_json(encoded)))
        return Response(text, media_type="application/json")
    data = await service.off_loop(lambda: saved(encoded))
    named = {"Content-Disposition": 'attachment; filename="audio.cat"'}
    return Response(data, media_type=CAT, headers=named)


@router.post("/v1/audio/decode")
async def decode(
    request: Request,
    service: ServiceOf,
    num_quantizers: Quantizers = None,
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "wav",
    sample_rate: Annotated[int | None, Query(ge=8000, le=96_000)] = None,
    stream: bool = False,
) -> Response:
    """A `.cat` file, JSON, or lines of JSON as they come, to audio; a prefix of the codebooks is
    enough.
    """
    tokenizer = service.models.tokenizer
    await enter(request, "codec")
    codes, samples = await _codes_of(request, service, num_quantizers)
    audio = service.decode(codes, samples)
    request.state.resources.push_async_callback(audio.aclose)
    seconds = metrics_of(request).audio.labels("decode")

    async def counted() -> AsyncGenerator[Tensor, None]:
        async for each in audio:
            seconds.inc(each.shape[1] / tokenizer.sample_rate)
            yield each

    shaper = AudioShaper(tokenizer.sample_rate, tokenizer.channels, sample_rate)
    headers = audio_headers(shaper)
    sound = await begun(counted(), lambda _: None)
    if not stream:
        return await whole_audio(service, sound, shaper, response_format, headers)
    parts = stream_bytes(sound, shaper, response_format)
    return LiveResponse(parts, media_type=CONTENT_TYPES[response_format], headers=headers)


def as_json(encoded: Encoded) -> dict[str, Any]:
    """Codes `[K][F]` of one recording, and what is needed to decode them."""
    return {
        "codes": encoded.codes[0].tolist(),
        "samples": int(encoded.sample_lengths),
        "sample_rate": encoded.sample_rate,
        "channels": encoded.channels,
        "frame_size": encoded.frame_size,
        "codebook_size": encoded.codebook_size,
        "num_quantizers": encoded.num_quantizers,
        "model": encoded.model_id,
        "weight_hash": encoded.weight_hash,
    }


class _Counted:
    """Audio that is counted as it passes, and refused where it is too long."""

    def __init__(self, blocks: AsyncGenerator[Tensor, None], service: Service, seconds: Any):
        self._blocks, self._service, self._seconds = blocks, service, seconds
        self.samples = 0

    async def __aiter__(self) -> AsyncGenerator[Tensor, None]:
        rate, most = self._service.models.tokenizer.sample_rate, self._service.config
        async with aclosing(self._blocks) as blocks:
            async for block in blocks:
                self.samples += block.shape[1]
                if self.samples > most.max_audio_seconds * rate:
                    raise too_long(most.max_audio_seconds)
                self._seconds.inc(block.shape[1] / rate)
                yield block


async def _audio_of(request: Request, service: Service) -> AsyncGenerator[Tensor, None]:
    tokenizer = service.models.tokenizer
    if is_form(request):
        form = await read_form(request, service.config)
        file = _file_of(form, "the recording")
        return service.read(file, tokenizer.sample_rate, tokenizer.channels)
    if pcm_shape(request, tokenizer.sample_rate, tokenizer.channels):
        return pcm_blocks(request, tokenizer.channels)
    return service.read(await spooled(request), tokenizer.sample_rate, tokenizer.channels)


def _file_of(form: FormData, what: str) -> BinaryIO:
    """The file in a form. Raises ApiError without one, and on options, which would be ignored."""
    for name in IN_ADDRESS:
        if name in form:
            raise ApiError(400, f"{name} goes into the address, as ?{name}=...", param=name)
    file = upload_of(form, "file", "audio")
    if file is None:
        raise ApiError(400, f"the form holds no file: send {what} as file", param="file")
    return file.file


async def _lines(
    first: Tensor, codes: AsyncGenerator[Tensor, None], counter: _Counted, service: Service
) -> AsyncGenerator[bytes, None]:
    """`{"codes": [K][n]}` for the frames that are ready, then a line without codes."""
    tokenizer = service.models.tokenizer
    try:
        yield _line({"codes": first.tolist()})
        async for each in codes:
            yield _line({"codes": each.tolist()})
    except Exception as error:
        yield _line(as_api_error(error).body())
        return
    yield _line(
        {
            "samples": counter.samples,
            "sample_rate": tokenizer.sample_rate,
            "channels": tokenizer.channels,
            "frame_size": tokenizer.frame_size,
            "codebook_size": tokenizer.codebook_size,
            "num_quantizers": len(first),
            "model": tokenizer.model_id,
            "weight_hash": tokenizer.weight_hash,
        }
    )


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


async def _codes_of(
    request: Request, service: Service, num_quantizers: int | None
) -> tuple[AsyncGenerator[Tensor, None], int | None]:
    """Codes `[K, n]` as they come, and how many samples they stand for, if that is known."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (LINES, "application/jsonl"):
        return _from_lines(request, service, num_quantizers), None
    if kind == "application/json":
        rows, samples, hash = parse_codes(await read_json(request), service)
        if hash and hash != service.models.tokenizer.weight_hash:
            raise ApiError(400, "these codes are of another model", param="weight_hash")
        return _in_one_piece(service, _prefix(rows, num_quantizers)), samples
    if is_form(request):
        source = _file_of(await read_form(request, service.config), "the codes")
    else:
        source = await spooled(request)
    encoded = await service.off_loop(lambda: Encoded.load(source, num_quantizers))
    service.models.tokenizer.check_code_space(encoded)
    return _in_one_piece(service, encoded.codes[0]), int(encoded.sample_lengths)


def parse_codes(data: dict[str, Any], service: Service) -> tuple[Tensor, int | None, str]:
    """Codes `[K, F]`, samples and weight hash of what `as_json` wrote, or of bare codes."""
    rows, samples, hash = data.get("codes"), data.get("samples"), data.get("weight_hash", "")
    check_size(service, rows, service.models.tokenizer.num_quantizers)
    tokens = code_rows(rows)
    size = service.models.tokenizer.frame_size
    if samples is not None:
        whole = isinstance(samples, int) and not isinstance(samples, bool)
        if not whole or not 0 < samples <= tokens.shape[1] * size:
            raise ApiError(400, "samples must be how many the codes stand for", param="samples")
    if not isinstance(hash, str):
        raise ApiError(400, "weight_hash must be text", param="weight_hash")
    return tokens, samples, hash


def check_size(service: Service, rows: Any, codebooks: int, param: str = "codes") -> None:
    """Raises ApiError on what are no codes `[K][F]`, or too many, without a look at each."""
    first = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(first, list) or not first or type(first[0]) is not int:
        raise ApiError(400, f"{param} must be whole numbers [K][F]", param=param)
    if len(rows) > codebooks:
        raise ApiError(400, f"{param}: there are {codebooks} codebooks only", param=param)
    _check_length(service, len(first))


def code_rows(rows: Any, param: str = "codes") -> Tensor:
    """Codes `[K][F]` as a tensor. Raises ApiError on anything else."""
    try:
        codes = torch.tensor(rows, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError):
        codes = torch.zeros(0)
    if codes.dim() != 2 or codes.dtype != torch.int64 or 0 in codes.shape:
        raise ApiError(400, f"{param} must be whole numbers [K][F]", param=param)
    return codes


def _prefix(codes: Tensor, num_quantizers: int | None) -> Tensor:
    if num_quantizers is not None and num_quantizers > len(codes):
        raise ApiError(400, f"there are {len(codes)} codebooks only", param="num_quantizers")
    return codes[:num_quantizers]


async def _in_one_piece(service: Service, codes: Tensor) -> AsyncGenerator[Tensor, None]:
    _check_length(service, codes.shape[1])
    yield codes


async def _from_lines(
    request: Request, service: Service, num_quantizers: int | None
) -> AsyncGenerator[Tensor, None]:
    """What `/v1/audio/encode` gives as lines; those without codes are passed over."""
    rest, frames = b"", 0
    async for part in request.stream():
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ApiError(400, f"a line is longer than {LONGEST_LINE} bytes")
        for line in lines:
            for codes in _line_codes(line, num_quantizers):
                frames += codes.shape[1]
                _check_length(service, frames)
                yield codes
    for codes in _line_codes(rest, num_quantizers):
        yield codes


def _line_codes(line: bytes, num_quantizers: int | None) -> list[Tensor]:
    if not line.strip():
        return []
    data = parse_object(line)
    if "codes" not in data:
        return []
    return [_prefix(code_rows(data["codes"]), num_quantizers)]


def _check_length(service: Service, frames: int) -> None:
    if frames / service.models.tokenizer.frame_rate > service.config.max_audio_seconds + 1:
        raise too_long(service.config.max_audio_seconds)
