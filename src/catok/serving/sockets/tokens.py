"""`/v1/audio/encode/stream` and `/v1/audio/decode/stream`: codes as they are made, and back.

A client first says `session.config`. Then it sends one recording after the other, each ended by
`input.done`; `session.close` ends the session.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Literal

import numpy as np
import torch
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.websockets import WebSocket
from torch import Tensor

from catok.serving.bodies import checked
from catok.serving.errors import ApiError
from catok.serving.formats import as_pcm, from_pcm
from catok.serving.routes.tokens import code_rows
from catok.serving.service import too_long
from catok.serving.sockets.session import Message, Session, run_session

router = APIRouter()
AHEAD = 8  # messages that wait for the model


class StreamConfig(BaseModel):
    """The first message. `encoding` of audio: 16-bit or 32-bit float samples, interleaved.

    `codes`: "json" for `[K][n]` in a message, "binary" for frames of K little-endian uint16 each.
    """

    type: Literal["session.config"]
    num_quantizers: int | None = Field(None, ge=1)
    encoding: Literal["pcm_s16le", "pcm_f32le"] = "pcm_s16le"
    codes: Literal["json", "binary"] = "json"


@router.websocket("/v1/audio/encode/stream")
async def encode_stream(socket: WebSocket) -> None:
    """Audio in, codes out."""
    await run_session(socket, _encode)


@router.websocket("/v1/audio/decode/stream")
async def decode_stream(socket: WebSocket) -> None:
    """Codes in, audio out."""
    await run_session(socket, _decode)


async def _encode(session: Session) -> None:
    config = await _begin(session)
    tokenizer = session.service.models.tokenizer
    channels, rate = tokenizer.channels, tokenizer.sample_rate
    most = session.config.max_audio_seconds

    async def one(messages: "CodesRecording") -> None:
        samples = frames = 0

        async def blocks() -> AsyncGenerator[Tensor, None]:
            nonlocal samples
            async for message in messages:
                audio = samples_of(message, config.encoding, channels)
                samples += audio.shape[1]
                if samples > most * rate:
                    raise too_long(most)
                session.metrics.audio.labels("encode").inc(audio.shape[1] / rate)
                yield audio

        made = session.service.encode(blocks(), config.num_quantizers)
        async with aclosing(made) as parts:
            async for codes in parts:
                frames += codes.shape[1]
                if config.codes == "binary":
                    await session.send_bytes(frames_bytes(codes))
                else:
                    await session.send({"type": "codes", "codes": codes.tolist()})
        await session.send({"type": "output.done", "samples": samples, "frames": frames})

    await _recordings(session, one)


async def _decode(session: Session) -> None:
    config = await _begin(session)
    tokenizer = session.service.models.tokenizer
    depth = config.num_quantizers or tokenizer.num_quantizers
    most = session.config.max_audio_seconds

    async def one(messages: "CodesRecording") -> None:
        frames = samples = 0
        held = torch.zeros(tokenizer.channels, 0, dtype=torch.float32, device="cpu")

        async def codes() -> AsyncGenerator[Tensor, None]:
            nonlocal frames
            async for message in messages:
                chunk = codes_of(message, depth)
                frames += chunk.shape[1]
                if frames / tokenizer.frame_rate > most + 1:
                    raise too_long(most)
                yield chunk

        async def out(audio: Tensor) -> None:
            nonlocal samples
            samples += audio.shape[1]
            session.metrics.audio.labels("decode").inc(audio.shape[1] / tokenizer.sample_rate)
            if audio.shape[1]:
                await session.send_bytes(samples_bytes(audio, config.encoding))

        # the last frame waits until it is known how many of its samples are wanted
        async with aclosing(session.service.decode(codes())) as parts:
            async for audio in parts:
                audio = torch.cat([held, audio], dim=1)
                split = max(0, audio.shape[1] - tokenizer.frame_size)
                held = audio[:, split:]
                await out(audio[:, :split])
        wanted = messages.samples
        if wanted is not None:
            if not 0 <= frames * tokenizer.frame_size - wanted < tokenizer.frame_size:
                raise ApiError(400, "samples must be how many the codes stand for", param="samples")
            held = held[:, : wanted - samples]
        await out(held)
        await session.send({"type": "output.done", "samples": samples, "frames": frames})

    await _recordings(session, one)


class CodesRecording:
    """The messages of one recording, until `input.done`; `samples`: what that says, if anything.

    Of these not more wait than are good for memory: who sends more has to wait.
    """

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue(AHEAD)
        self.samples: int | None = None

    async def put(self, message: Message | None) -> None:
        """Add one, or the end."""
        await self._queue.put(message)

    async def __aiter__(self) -> AsyncGenerator[Message, None]:
        while (message := await self._queue.get()) is not None:
            yield message


Work = Callable[[CodesRecording], Coroutine[None, None, None]]


async def _begin(session: Session) -> StreamConfig:
    """Read the configuration, and answer with what the model is."""
    first = await session.receive(session.config.config_seconds)
    if not isinstance(first, dict):
        raise ApiError(400, "the first message must be session.config")
    config = checked(StreamConfig, first)
    tokenizer = session.service.models.tokenizer
    depth = config.num_quantizers or tokenizer.num_quantizers
    if depth > tokenizer.num_quantizers:
        most = tokenizer.num_quantizers
        raise ApiError(400, f"num_quantizers must be 1 to {most}", param="num_quantizers")
    await session.send(
        {
            "type": "session.started",
            "session_id": session.id,
            "model": tokenizer.model_id,
            "weight_hash": tokenizer.weight_hash,
            "sample_rate": tokenizer.sample_rate,
            "channels": tokenizer.channels,
            "frame_size": tokenizer.frame_size,
            "codebook_size": tokenizer.codebook_size,
            "num_quantizers": depth,
            "encoding": config.encoding,
        }
    )
    return config


async def _recordings(session: Session, handle: Work) -> None:
    """Work through one recording after the other, each within the limit of its kind."""
    while True:
        first = await session.receive()
        if isinstance(first, dict) and first["type"] == "session.close":
            return
        recording = CodesRecording()
        async with session.entered("codec"), asyncio.TaskGroup() as group:
            work = group.create_task(handle(recording))
            message: Message | None = first
            while message is not None:
                message = await _passed_on(session, message, recording)
            await work


async def _passed_on(
    session: Session, message: Message, recording: CodesRecording
) -> Message | None:
    """Give a message to the recording; the next one, or None after its end."""
    if isinstance(message, dict) and message["type"] == "input.done":
        samples = message.get("samples")
        if samples is not None and (not isinstance(samples, int) or isinstance(samples, bool)):
            raise ApiError(400, "samples must be a whole number", param="samples")
        recording.samples = samples
        await recording.put(None)
        return None
    if isinstance(message, dict) and message["type"] != "codes":
        raise ApiError(400, "expected audio or codes, or input.done")
    await recording.put(message)
    session.busy = False  # while a recording is open, silence of the client counts
    return await session.receive()


def samples_of(message: Message, encoding: str, channels: int) -> Tensor:
    """Audio `[C, n]` of a binary frame. Raises ApiError or ValueError on anything else."""
    if not isinstance(message, bytes):
        raise ApiError(400, "audio comes in binary frames")
    if encoding == "pcm_s16le":
        return from_pcm(message, channels)
    if len(message) % (4 * channels):
        raise ApiError(400, f"float samples of {channels} channels come in {4 * channels} bytes")
    samples = np.frombuffer(message, dtype="<f4").reshape(-1, channels).T
    return torch.from_numpy(samples.astype(np.float32))


def samples_bytes(audio: Tensor, encoding: str) -> bytes:
    """The opposite."""
    if encoding == "pcm_s16le":
        return as_pcm(audio)
    return audio.float().T.contiguous().numpy().astype("<f4").tobytes()


def codes_of(message: Message, depth: int) -> Tensor:
    """Codes `[K, n]` of a message or of a binary frame. Raises ApiError on anything else."""
    if isinstance(message, dict):
        codes = code_rows(message.get("codes"))
    elif not message or len(message) % (2 * depth):
        raise ApiError(400, f"a binary frame holds frames of {depth} codes in {2 * depth} bytes")
    else:
        rows = np.frombuffer(message, dtype="<u2").reshape(-1, depth).T
        codes = torch.from_numpy(rows.astype(np.int64))
    if len(codes) != depth:
        raise ApiError(400, f"expected {depth} codebooks, got {len(codes)}", param="codes")
    return codes


def frames_bytes(codes: Tensor) -> bytes:
    """Codes `[K, n]` as frames of K little-endian uint16."""
    return codes.T.contiguous().numpy().astype("<u2").tobytes()
