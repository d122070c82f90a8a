"""`/v1/audio/speech/stream`: text in as it is written, audio out as it is spoken.

A client first says `session.config`, then `input.text` as often as it likes and `input.done`. Every
sentence is spoken as soon as it is known where it ends. The connection stays for the next text
until `session.close`. The audio between `audio.start` of the first sentence and `session.done` is
one file of the format.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter
from starlette.websockets import WebSocket
from torch import Tensor

from catok.serving.bodies import checked
from catok.serving.errors import ApiError
from catok.serving.formats import CONTENT_TYPES, AudioEncoder, audio_encoder
from catok.serving.routes.speech_request import Format, SpeechBody, shaper_of, speech_request
from catok.serving.sentence_queue import SentenceQueue
from catok.serving.sockets.session import Session, run_session

router = APIRouter()


class SessionConfig(SpeechBody):
    """The first message: what a request for speech may say, without its text.

    `codes`: send the codes too, `[K][n]` in messages of their own, before the audio of them.
    """

    type: Literal["session.config"]
    input: str = ""
    response_format: Format = "pcm"
    codes: bool = False


@router.websocket("/v1/audio/speech/stream")
async def speech_stream(socket: WebSocket) -> None:
    """Speak what is written."""
    await run_session(socket, _talk)


async def _talk(session: Session) -> None:
    first = await session.receive(session.config.config_seconds)
    if not isinstance(first, dict):
        raise ApiError(400, "the first message must be session.config")
    config = checked(SessionConfig, first)
    if config.response_format not in CONTENT_TYPES:
        raise ApiError(400, f"no stream of {config.response_format}", param="response_format")
    shaper = shaper_of(session.service, config)
    await session.send(
        {
            "type": "session.started",
            "session_id": session.id,
            "format": config.response_format,
            "sample_rate": shaper.sample_rate,
            "channels": shaper.channels,
        }
    )
    utterance = 0
    while True:
        message = await session.receive()
        if isinstance(message, bytes):
            raise ApiError(400, "text comes in messages of type input.text")
        if message["type"] == "session.close":
            return
        texts = SentenceQueue(session.config.max_text_length)
        async with session.entered("speech"), asyncio.TaskGroup() as group:
            spoken = group.create_task(_speak(session, config, texts, utterance))
            while not await _take_message(message, texts):
                session.busy = texts.waiting > 0
                message = await session.receive()
                session.busy = True
            await spoken
        utterance += 1


async def _take_message(message: Any, texts: "SentenceQueue") -> bool:
    """Take a message; whether the text ends with it."""
    if not isinstance(message, dict) or message["type"] not in ("input.text", "input.done"):
        raise ApiError(400, "expected input.text or input.done")
    text = message.get("text", "")
    if not isinstance(text, str):
        raise ApiError(400, "text must be text", param="text")
    await texts.write(text)
    if message["type"] == "input.done":
        await texts.end()
        return True
    return False


async def _speak(
    session: Session, config: SessionConfig, texts: SentenceQueue, number: int
) -> None:
    service = session.service
    shaper = shaper_of(service, config)
    encoder = audio_encoder(config.response_format, shaper.sample_rate, shaper.channels)
    asked = await speech_request(service, config, None)
    place = {"utterance_index": number, "sentence_index": -1}

    async def announced() -> AsyncGenerator[str, None]:
        async for sentence in texts:
            await _sentence_done(session, place)
            place["sentence_index"] += 1
            start = {"type": "audio.start", **place, "text": sentence}
            await session.send(start | {"format": config.response_format})
            yield sentence
        await _sentence_done(session, place)

    sent = {"sentence": 0, "frames": 0}

    async def send_codes(codes: Tensor | None) -> None:
        if sent["sentence"] != place["sentence_index"]:
            sent.update(sentence=place["sentence_index"], frames=0)
        if codes is not None and codes.shape[1] > sent["frames"]:
            new, sent["frames"] = codes[:, sent["frames"] :].tolist(), codes.shape[1]
            size = service.need_synthesizer().tokenizer.codebook_size
            await session.send({"type": "codes", **place, "codes": new, "codebook_size": size})

    utterance = service.speak_sentences(asked, announced(), pause=config.pause)
    rate = service.need_synthesizer().sample_rate
    async with aclosing(utterance) as audio:
        async for each in audio:
            session.metrics.audio.labels("speech").inc(each.shape[1] / rate)
            if config.codes:
                await send_codes(utterance.live_codes)
            await _send(session, encoder, shaper.push(each))
    await _send(session, encoder, shaper.finish())
    if data := encoder.finish():
        await session.send_bytes(data)
    await session.send(
        {
            "type": "session.done",
            "utterance_index": number,
            "sentences": place["sentence_index"] + 1,
            "seed": asked.seed,
            "output_tokens": utterance.output_tokens,
        }
    )


async def _sentence_done(session: Session, place: dict[str, int]) -> None:
    if place["sentence_index"] >= 0:
        await session.send({"type": "audio.done", **place})


async def _send(session: Session, encoder: AudioEncoder, audio: Tensor) -> None:
    if data := encoder.write(audio):
        await session.send_bytes(data)
