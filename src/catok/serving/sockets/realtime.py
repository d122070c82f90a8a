"""`/v1/realtime?intent=transcription`: audio in, text out, in the messages of OpenAI.

Of these messages we answer `session.update`, `input_audio_buffer.append`, `.commit` and `.clear`.
With `turn_detection` (the default) a turn ends where nobody speaks for a while, else at `commit`.
"""

import asyncio
import base64
import binascii
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.websockets import WebSocket
from torch import Tensor

from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.transcript import join_texts
from catok.serving.bodies import checked
from catok.serving.errors import ApiError
from catok.serving.formats import from_pcm
from catok.serving.service import too_long
from catok.serving.shaping import AudioShaper
from catok.serving.sockets.session import Session, run_session
from catok.serving.voice_activity import VoiceActivity

router = APIRouter()
RATE = 24_000  # Hz: the only one of 16-bit samples in this protocol
AHEAD = 8  # pieces of audio that wait for the model
BEFORE = 0.3  # seconds before the start of speech that belong to the turn


class Format(BaseModel):
    """Of the audio."""

    type: str = "audio/pcm"
    rate: int = RATE


class Transcription(BaseModel):
    """What is asked of the recogniser; `language` and `prompt` change nothing here."""

    model: str | None = None
    language: str | None = Field(default=None, max_length=64)
    prompt: str | None = Field(default=None, max_length=10_000)


class TurnDetection(BaseModel):
    """When a turn ends by itself. `semantic_vad` is taken for `server_vad`."""

    type: str = "server_vad"
    silence_duration_ms: int = Field(default=500, ge=80, le=10_000)
    prefix_padding_ms: int = Field(default=300, ge=0, le=5000)


class Input(BaseModel):
    """Audio that comes in."""

    format: Format = Format()
    transcription: Transcription | None = Field(default_factory=Transcription)
    turn_detection: TurnDetection | None = Field(default_factory=TurnDetection)


class Audio(BaseModel):
    """Only input is known."""

    input: Input = Input()


class SessionSettings(BaseModel):
    """`session` of `session.update`."""

    type: str = "transcription"
    audio: Audio = Audio()


@router.websocket("/v1/realtime")
async def realtime(socket: WebSocket, intent: str = "transcription") -> None:
    """Write down what is said while it is said."""

    async def talk(session: Session) -> None:
        if intent != "transcription":
            raise ApiError(400, "this server knows intent=transcription only", param="intent")
        await _Conversation(session).run()

    await run_session(socket, talk)


class _Conversation:
    """A session: the settings, the turn that is open, and those that are being written down."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._recognizer = session.service.need_recognizer()
        self._settings = SessionSettings()
        self._item: _Item | None = None
        self._last: str | None = None
        self._samples = 0  # of the stream, 24 kHz
        self._before: list[Tensor] = []  # audio that may belong to the next turn
        self._activity = self._new_activity()

    async def run(self) -> None:
        session = self._session
        await session.send(self._described("session.created"))
        async with session.entered("transcription"), asyncio.TaskGroup() as group:
            self._group = group
            while True:
                session.busy = False
                message = await session.receive()
                if isinstance(message, bytes):
                    raise ApiError(400, "audio comes as base64 in input_audio_buffer.append")
                kind = message["type"]
                if kind == "session.close":
                    break
                if kind == "session.update":
                    await self._update(message)
                elif kind == "input_audio_buffer.append":
                    await self._append(message)
                elif kind == "input_audio_buffer.commit":
                    await self._commit()
                elif kind == "input_audio_buffer.clear":
                    await self._clear()
                else:
                    raise ApiError(400, f"unknown message {kind[:64]!r}", param="type")
            await self._clear()

    def _described(self, kind: str) -> dict[str, Any]:
        about = {"id": self._session.id, "object": "realtime.transcription_session"}
        return {
            "type": kind,
            "event_id": _id("event"),
            "session": about | self._settings.model_dump(),
        }

    def _new_activity(self) -> VoiceActivity | None:
        detection = self._settings.audio.input.turn_detection
        if detection is None:
            return None
        # frames of 40 ms: short enough to tell when somebody stops
        return VoiceActivity(1, RATE, RATE // 25, detection.silence_duration_ms / 1000)

    async def _update(self, message: dict[str, Any]) -> None:
        given = message.get("session")
        if not isinstance(given, dict):
            raise ApiError(400, "session.update needs a session", param="session")
        settings = checked(SessionSettings, given)
        format = settings.audio.input.format
        if settings.type != "transcription":
            raise ApiError(400, "session.type must be transcription", param="session.type")
        if (format.type, format.rate) != ("audio/pcm", RATE):
            raise ApiError(400, f"audio must be audio/pcm of {RATE} Hz", param="session.audio")
        self._settings = settings
        self._activity = self._new_activity()
        await self._session.send(self._described("session.updated"))

    async def _append(self, message: dict[str, Any]) -> None:
        audio = _samples(message.get("audio"))
        for start in range(0, audio.shape[1], RATE // 25):  # turns begin and end within a message
            await self._hear(audio[:, start : start + RATE // 25])

    async def _hear(self, audio: Tensor) -> None:
        self._samples += audio.shape[1]
        if self._activity is None:
            await self._open(self._samples - audio.shape[1]).put(audio)
            return
        turns = self._activity.push(audio)
        if self._item is None and not turns:
            self._keep(audio)
            return
        for turn in turns:
            if turn.kind == "started" and self._item is None:
                item = self._open(self._samples - audio.shape[1])
                start = turn.sample - sum(each.shape[1] for each in self._before)
                await self._event(
                    "input_audio_buffer.speech_started", item, audio_start_ms=_ms(max(0, start))
                )
                for each in self._before:
                    await item.put(each)
                self._before.clear()
        if self._item is not None:
            await self._item.put(audio)
        for turn in turns:
            if turn.kind == "stopped" and self._item is not None:
                await self._event(
                    "input_audio_buffer.speech_stopped", self._item, audio_end_ms=_ms(turn.sample)
                )
                await self._commit()

    def _keep(self, audio: Tensor) -> None:
        detection = self._settings.audio.input.turn_detection
        most = RATE * (detection.prefix_padding_ms / 1000 if detection else BEFORE)
        self._before.append(audio)
        while sum(each.shape[1] for each in self._before) > most:
            self._before.pop(0)

    def _open(self, start: int) -> "_Item":
        if self._item is None:
            self._item = _Item(start, self._session.config.max_audio_seconds)
            self._item.task = self._group.create_task(self._write_down(self._item))
        return self._item

    async def _commit(self) -> None:
        item = self._item
        if item is None:
            if self._activity is None:
                raise ApiError(400, "there is no audio to commit", code="empty_buffer")
            return
        self._item = None
        previous, self._last = self._last, item.id
        await self._event("input_audio_buffer.committed", item, previous_item_id=previous)
        await item.end()
        assert item.task is not None
        self._session.busy = True
        await item.task  # one at a time: the next turn waits, and so does the client

    async def _clear(self) -> None:
        item, self._item = self._item, None
        if item is not None and item.task is not None:
            item.task.cancel()
        self._before.clear()

    async def _write_down(self, item: "_Item") -> None:
        service, recognizer = self._session.service, self._recognizer
        text = ""
        segments = service.transcribe(
            item.audio(recognizer.tokenizer.sample_rate, recognizer.tokenizer.channels),
            DecodingConfig(),
        )
        async with aclosing(segments):
            async for segment in segments:
                longer = join_texts([text, segment.transcript.text])
                if longer != text:
                    await self._transcribed("delta", item, delta=longer[len(text) :])
                text = longer
        seconds = item.samples / RATE
        self._session.metrics.audio.labels("transcription").inc(seconds)
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        await self._transcribed("completed", item, transcript=text, usage=usage)

    async def _transcribed(self, kind: str, item: "_Item", **fields: Any) -> None:
        name = f"conversation.item.input_audio_transcription.{kind}"
        await self._event(name, item, content_index=0, **fields)

    async def _event(self, kind: str, item: "_Item", **fields: Any) -> None:
        about = {"type": kind, "event_id": _id("event"), "item_id": item.id}
        await self._session.send(about | fields)


class _Item:
    """A turn: its audio, of which little waits, and the task that writes it down."""

    def __init__(self, start: int, most_seconds: float) -> None:
        self.id, self.start, self.samples = _id("item"), start, 0
        self.task: asyncio.Task[None] | None = None
        self._most = most_seconds
        self._queue: asyncio.Queue[Tensor | None] = asyncio.Queue(AHEAD)

    async def put(self, audio: Tensor) -> None:
        """The next audio `[1, n]`. Raises ApiError where the turn is too long."""
        self.samples += audio.shape[1]
        if self.samples > self._most * RATE:
            raise too_long(self._most)
        await self._queue.put(audio)

    async def end(self) -> None:
        """Nothing more."""
        await self._queue.put(None)

    async def audio(self, sample_rate: int, channels: int) -> AsyncGenerator[Tensor, None]:
        """As the recogniser wants it."""
        shaper = AudioShaper(RATE, 1, sample_rate, channels)
        while (audio := await self._queue.get()) is not None:
            yield shaper.push(audio)
        yield shaper.finish()


def _samples(data: Any) -> Tensor:
    try:
        return from_pcm(base64.b64decode(data, validate=True), 1)
    except (TypeError, ValueError, binascii.Error):
        raise ApiError(400, "audio must be 16-bit samples in base64", param="audio") from None


def _ms(samples: int) -> int:
    return round(1000 * samples / RATE)


def _id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(12)}"
