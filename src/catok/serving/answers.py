"""Answers of audio: whole, as one stream of bytes, or as server-sent events."""

import base64
import io
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Send
from torch import Tensor

from catok.codes import Encoded
from catok.serving.errors import ApiError, as_api_error
from catok.serving.formats import (
    CONTENT_TYPES,
    SUFFIXES,
    audio_encoder,
    whole_encoder,
)
from catok.serving.service import Service
from catok.serving.shaping import AudioShaper

CAT = "application/x-catok"


class LiveResponse(StreamingResponse):
    """A stream whose source is closed however it ends."""

    async def stream_response(self, send: Send) -> None:
        """As `StreamingResponse.stream_response`."""
        source: Any = self.body_iterator
        async with aclosing(source):
            await super().stream_response(send)


def audio_headers(shaper: AudioShaper, extra: dict[str, str] | None = None) -> dict[str, str]:
    """What a client must know of bare samples."""
    return {
        "X-Sample-Rate": str(shaper.sample_rate),
        "X-Channels": str(shaper.channels),
        "X-Bit-Depth": "16",
        "X-Accel-Buffering": "no",
        **(extra or {}),
    }


async def shaped(audio: AsyncIterator[Tensor], shaper: AudioShaper) -> AsyncGenerator[Tensor, None]:
    """Audio as it was asked for."""
    async for each in audio:
        yield shaper.push(each)
    yield shaper.finish()


async def whole_audio(
    service: Service,
    audio: AsyncIterator[Tensor],
    shaper: AudioShaper,
    format: str,
    headers: dict[str, str],
) -> Response:
    """All of it, with its true length."""
    encoder = whole_encoder(format, shaper.sample_rate, shaper.channels)
    async for each in shaped(audio, shaper):
        encoder.write(each)
    data = await service.off_loop(encoder.finish)
    named = {"Content-Disposition": f'attachment; filename="audio.{SUFFIXES[format]}"'}
    return Response(data, media_type=CONTENT_TYPES[format], headers=headers | named)


def stream_bytes(
    audio: AsyncIterator[Tensor], shaper: AudioShaper, format: str
) -> AsyncGenerator[bytes, None]:
    """One file, piece by piece. Raises ValueError at once on what the format cannot be."""
    encoder = audio_encoder(format, shaper.sample_rate, shaper.channels)

    async def parts() -> AsyncGenerator[bytes, None]:
        async for each in shaped(audio, shaper):
            if data := encoder.write(each):
                yield data
        if data := encoder.finish():
            yield data

    return parts()


async def speech_events(
    parts: AsyncIterator[bytes], usage: Callable[[], dict[str, Any]]
) -> AsyncGenerator[bytes, None]:
    """`speech.audio.delta` with base64 of the same bytes, then `speech.audio.done`."""
    try:
        async for data in parts:
            encoded = base64.b64encode(data).decode()
            yield event({"type": "speech.audio.delta", "audio": encoded})
        yield event({"type": "speech.audio.done", "usage": usage()})
    except Exception as error:
        yield event({"type": "error", **as_api_error(error).body()})


def saved(encoded: Encoded) -> bytes:
    """A `.cat` file."""
    file = io.BytesIO()
    encoded.save(file)
    return file.getvalue()


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


async def begun(
    audio: AsyncIterator[Tensor], heard: Callable[[float], None]
) -> AsyncGenerator[Tensor, None]:
    """The same audio, once its first piece is there: until then an error is still an answer.

    `heard` is told how many seconds that took.
    """
    start = time.monotonic()
    first = await anext(audio, None)
    if first is None:
        raise ApiError(500, "the model said nothing: try another seed", code="no_speech")
    heard(time.monotonic() - start)

    async def rest() -> AsyncGenerator[Tensor, None]:
        yield first
        async for each in audio:
            yield each

    return rest()
