"""Wyoming, the protocol of Home Assistant: speech and recognition on a TCP port of its own.

Clients of this protocol have no key.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

from torch import Tensor
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioFormat, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_write_event
from wyoming.tts import SynthesizeStopped

from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.transcript import join_texts
from catok.serving.bodies import checked
from catok.serving.errors import ApiError, as_api_error
from catok.serving.formats import as_pcm, from_pcm
from catok.serving.gate import Gate
from catok.serving.metrics import Metrics
from catok.serving.routes.speech_request import SpeechBody, speech_request
from catok.serving.sentence_queue import SentenceQueue
from catok.serving.service import Service, too_long
from catok.serving.shaping import AudioShaper
from catok.serving.wyoming_events import LONGEST_LINE, audio_format, describe, read_event

log = logging.getLogger("catok.serving")
AHEAD = 32  # chunks of audio that wait for the model


async def start_wyoming(
    service: Service, gates: dict[str, Gate], metrics: Metrics, host: str, port: int
) -> asyncio.Server:
    """Listen. Raises OSError where the port is taken."""
    running: set[asyncio.Task[None] | None] = set()  # asyncio forgets them when a client goes

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        running.add(task)
        try:
            await _Connection(service, gates, metrics, reader, writer).run()
        finally:
            running.discard(task)

    return await asyncio.start_server(connected, host, port, limit=LONGEST_LINE)


class _Connection:
    """A client: events are answered in order."""

    def __init__(
        self,
        service: Service,
        gates: dict[str, Gate],
        metrics: Metrics,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._service, self._gates, self._metrics = service, gates, metrics
        self._reader, self._writer = reader, writer
        self._stack = AsyncExitStack()  # what the work that runs holds
        self._text: SentenceQueue | None = None
        self._audio: _Audio | None = None
        self._work: asyncio.Task[None] | None = None
        self._answers: dict[str, Callable[[Event], Awaitable[None]]] = {
            "describe": self._describe,
            "ping": self._ping,
            "synthesize": self._synthesize,
            "synthesize-start": self._synthesize_start,
            "synthesize-chunk": self._synthesize_chunk,
            "synthesize-stop": self._synthesize_stop,
            "transcribe": self._transcribe,
            "audio-start": self._audio_start,
            "audio-chunk": self._audio_chunk,
            "audio-stop": self._audio_stop,
        }

    async def run(self) -> None:
        """Until the client goes, is silent for too long or makes a mistake."""
        try:
            async with self._gates["session"].entered():
                while (event := await self._next()) is not None:
                    answer = self._answers.get(event.type)
                    if answer is not None:  # others are passed over, as the protocol asks
                        await answer(event)
        except ConnectionError:
            pass
        except Exception as error:
            await self._fail(error)
        finally:
            if self._work is not None:
                self._work.cancel()
                await asyncio.gather(self._work, return_exceptions=True)
            await self._stack.aclose()
            await self._close()

    async def _close(self) -> None:
        """What was sent may still be read for a while."""
        self._writer.close()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(self._service.config.write_seconds):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _next(self) -> Event | None:
        """The next event; what goes wrong in the work meanwhile is raised here."""
        reading = asyncio.ensure_future(read_event(self._reader))
        waiting = {reading} if self._work is None else {reading, self._work}
        limit = self._service.config.idle_seconds
        try:
            done, _ = await asyncio.wait(
                waiting, timeout=limit, return_when=asyncio.FIRST_COMPLETED
            )
            if self._work is not None and self._work in done:
                work, self._work = self._work, None
                work.result()
                done, _ = await asyncio.wait({reading}, timeout=limit)
            if reading not in done:
                raise ApiError(408, f"nothing came for {limit:g} s", code="idle_timeout")
            return reading.result()
        finally:
            reading.cancel()

    async def _send(self, event: Event) -> None:
        try:
            async with asyncio.timeout(self._service.config.write_seconds):
                await async_write_event(event, self._writer)
        except TimeoutError:
            self._metrics.refused.labels("slow_reader").inc()
            raise ConnectionAbortedError("the client reads too slowly") from None

    async def _fail(self, error: Exception) -> None:
        if not isinstance(error, ApiError | ValueError):
            log.error("wyoming failed", exc_info=error)
        said = as_api_error(error)
        with suppress(ConnectionError):
            await self._send(Error(text=said.message, code=said.code).event())

    async def _enter(self, kind: str) -> None:
        if self._work is not None or self._text is not None or self._audio is not None:
            raise ApiError(400, "one thing at a time")
        await self._stack.enter_async_context(self._gates[kind].entered())

    async def _while_working(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Wait for room in a queue. Raises what the work raised that should make it."""
        assert self._work is not None
        task = asyncio.create_task(waiting)
        try:
            await asyncio.wait({task, self._work}, return_when=asyncio.FIRST_COMPLETED)
            (task if task.done() else self._work).result()
        finally:
            task.cancel()

    async def _done(self) -> None:
        if self._work is not None:
            work, self._work = self._work, None
            try:
                await work
            finally:
                work.cancel()
        self._text = self._audio = None
        await self._stack.aclose()

    async def _describe(self, event: Event) -> None:
        await self._send(describe(self._service).event())

    async def _ping(self, event: Event) -> None:
        await self._send(Event("pong", {"text": event.data.get("text")}))

    # speech

    async def _synthesize(self, event: Event) -> None:
        if self._text is not None:
            return  # the whole text again, for servers that do not stream
        await self._synthesize_start(event)
        await self._write(event.data.get("text"))
        await self._end_text()

    async def _synthesize_start(self, event: Event) -> None:
        await self._enter("speech")
        voice = event.data.get("voice") or {}
        name = voice.get("name") if isinstance(voice, dict) else None
        body = checked(SpeechBody, {"input": "", "voice": name, "response_format": "pcm"})
        self._text = SentenceQueue(self._service.config.max_text_length)
        self._work = asyncio.create_task(self._speak(body, self._text))

    async def _synthesize_chunk(self, event: Event) -> None:
        await self._write(event.data.get("text"))

    async def _synthesize_stop(self, event: Event) -> None:
        await self._end_text()
        await self._send(SynthesizeStopped().event())

    async def _write(self, text: Any) -> None:
        if self._text is None or not isinstance(text, str):
            raise ApiError(400, "expected synthesize-start, then text")
        await self._while_working(self._text.write(text))

    async def _end_text(self) -> None:
        if self._text is None:
            raise ApiError(400, "expected synthesize-start")
        await self._while_working(self._text.end())
        await self._done()

    async def _speak(self, body: SpeechBody, texts: SentenceQueue) -> None:
        service = self._service
        synth = service.need_synthesizer()
        shaper = AudioShaper(synth.sample_rate, synth.tokenizer.channels, None, 1)
        shape = {"rate": shaper.sample_rate, "width": 2, "channels": 1}
        request = await speech_request(service, body, None)
        await self._send(AudioStart(**shape).event())
        utterance = service.speak_sentences(request, aiter(texts), pause=body.pause)
        async with aclosing(utterance) as audio:
            async for each in audio:
                self._metrics.audio.labels("speech").inc(each.shape[1] / synth.sample_rate)
                data = as_pcm(shaper.push(each))
                await self._send(AudioChunk(audio=data, **shape).event())
        await self._send(AudioStop().event())

    # recognition

    async def _transcribe(self, event: Event) -> None:
        self._service.need_recognizer()

    async def _audio_start(self, event: Event) -> None:
        await self._enter("transcription")
        format = audio_format(event)
        recognizer = self._service.need_recognizer()
        tokenizer = recognizer.tokenizer
        shaper = AudioShaper(
            format.rate, format.channels, tokenizer.sample_rate, tokenizer.channels
        )
        self._audio = _Audio(format, shaper, self._service.config.max_audio_seconds)
        self._work = asyncio.create_task(self._recognize(self._audio))

    async def _audio_chunk(self, event: Event) -> None:
        if self._audio is None:
            await self._audio_start(event)
        assert self._audio is not None
        await self._while_working(self._audio.put(event.payload or b""))

    async def _audio_stop(self, event: Event) -> None:
        if self._audio is None:
            raise ApiError(400, "expected audio")
        await self._while_working(self._audio.end())
        await self._done()

    async def _recognize(self, audio: "_Audio") -> None:
        texts: list[str] = []
        segments = self._service.transcribe(audio.blocks(), DecodingConfig())
        async with aclosing(segments):
            async for segment in segments:
                texts.append(segment.transcript.text)
        self._metrics.audio.labels("transcription").inc(audio.seconds)
        await self._send(Transcript(join_texts(texts)).event())


class _Audio:
    """A recording that comes in, of which little waits."""

    def __init__(self, format: AudioFormat, shaper: AudioShaper, most_seconds: float) -> None:
        self._format, self._shaper, self._most = format, shaper, most_seconds
        self._queue: asyncio.Queue[Tensor | None] = asyncio.Queue(AHEAD)
        self.seconds = 0.0

    async def put(self, data: bytes) -> None:
        audio = from_pcm(data, self._format.channels)
        self.seconds += audio.shape[1] / self._format.rate
        if self.seconds > self._most:
            raise too_long(self._most)
        await self._queue.put(audio)

    async def end(self) -> None:
        await self._queue.put(None)

    async def blocks(self) -> AsyncGenerator[Tensor, None]:
        while (audio := await self._queue.get()) is not None:
            yield self._shaper.push(audio)
        yield self._shaper.finish()
