"""What the server does, without a protocol: HTTP, WebSockets and others call the same methods.

Everything is asynchronous and in pieces; closing an iterator early frees what it held.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO, TypeVar

import torch
from torch import Tensor

from catok.audio import read_blocks
from catok.codes import Encoded
from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.recognizer import Recognizer
from catok.lm.asr.segmentation import frame_loudness
from catok.lm.asr.segments import Piece, PieceCutter, Segment
from catok.lm.tts.long_form import PAUSE
from catok.lm.tts.reference import LONGEST, prepare_reference
from catok.lm.tts.request import SpeechRequest
from catok.lm.tts.synthesizer import Synthesizer
from catok.serving.config import ServerConfig
from catok.serving.errors import ApiError
from catok.serving.jobs import DecodeJob, EncodeJob, Job
from catok.serving.models import Models
from catok.serving.scheduler import Scheduler
from catok.serving.utterance import Utterance
from catok.serving.voices import Voices

T = TypeVar("T")
READ_BLOCK = 2.0  # seconds of a file at a time
PIECES_AHEAD = 4  # pieces of one recording that are recognised at once
THREADS = 4  # that read and resample audio


class Service:
    """Models, the scheduler that runs them, and voices. `start` it, `stop` it."""

    def __init__(self, models: Models, config: ServerConfig) -> None:
        """Raises ValueError on a folder of voices that cannot be read."""
        self.models, self.config = models, config
        self.scheduler = Scheduler(
            models, config.speech_limit, max(4, min(8, config.transcription_limit))
        )
        folder = Path(config.voices) if config.voices else None
        self.voices: Voices | None = None
        if models.synthesizer is not None:
            self.voices = Voices(models.synthesizer, folder, config.voice_names, config.max_voices)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="catok-audio")

    def start(self) -> None:
        """Begin to work."""
        self.scheduler.start()

    def stop(self) -> None:
        """End what runs."""
        self.scheduler.stop()
        self._threads.shutdown(cancel_futures=True)

    async def off_loop(self, function: Callable[[], T]) -> T:
        """What a function returns that takes a while and no model."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    # audio tokenizer

    async def encode(
        self, blocks: AsyncIterable[Tensor], num_quantizers: int | None = None
    ) -> AsyncGenerator[Tensor, None]:
        """Audio `[C, n]` at the tokenizer's rate -> codes `[K, m]` as they are made."""
        job = await self.scheduler.encode(self.models.tokenizer, num_quantizers)
        async with aclosing(through(job, blocks)) as codes:
            async for each in codes:
                yield each

    async def decode(
        self, codes: AsyncIterable[Tensor], samples: int | None = None
    ) -> AsyncGenerator[Tensor, None]:
        """Codes `[K, n]` -> audio `[C, t]` as it is made, `samples` of it if given."""
        job = await self.scheduler.decode(self.models.tokenizer, samples)
        async with aclosing(through(job, codes)) as audio:
            async for each in audio:
                yield each

    async def read(
        self, file: BinaryIO, sample_rate: int, channels: int, most: float | None = None
    ) -> AsyncGenerator[Tensor, None]:
        """Audio `[C, n]` of a file. Raises ValueError on damage, ApiError on too long a one: above
        `most` seconds, by default those of the configuration.
        """
        blocks = await self.off_loop(lambda: read_blocks(file, sample_rate, channels, READ_BLOCK))
        most = self.config.max_audio_seconds if most is None else most
        samples = 0
        try:
            while (block := await self.off_loop(lambda: next(blocks, None))) is not None:
                samples += block.shape[1]
                if samples > most * sample_rate:
                    raise too_long(most)
                yield block
        finally:
            close = getattr(blocks, "close", None)
            if close is not None:
                close()

    # speech

    async def encode_reference(self, audio: Tensor, sample_rate: int) -> Tensor:
        """A recording of a voice, `[C, T]`, as codes `[n_vq, F]`."""
        synth = self.need_synthesizer()
        prepared = await self.off_loop(
            lambda: prepare_reference((audio, sample_rate), synth.tokenizer)
        )
        job = await self.scheduler.encode(synth.tokenizer, synth.num_quantizers)
        async with aclosing(through(job, _once(prepared))) as codes:
            return torch.cat([each async for each in codes], dim=1)

    async def reference_of_file(self, file: BinaryIO) -> Tensor:
        """The same of an audio file, of which no more is read than a reference may have."""
        rate = self.need_synthesizer().sample_rate
        async with aclosing(self.read(file, rate, 1, LONGEST + 1)) as blocks:
            audio = torch.cat([block async for block in blocks], dim=1)
        return await self.encode_reference(audio, rate)

    def speak(self, request: SpeechRequest, *, pause: float = PAUSE) -> Utterance:
        """Speech of a text of any length; references are codes."""
        return Utterance(self, request, pause)

    def speak_sentences(
        self, request: SpeechRequest, sentences: AsyncIterable[str], *, pause: float = PAUSE
    ) -> Utterance:
        """The same of sentences as they are written; the text of the request itself is not said."""
        return Utterance(self, request, pause, sentences)

    # recognition

    async def transcribe(
        self, blocks: AsyncIterable[Tensor], config: DecodingConfig
    ) -> AsyncGenerator[Segment, None]:
        """Segments of audio `[C, n]` at the tokenizer's rate, in order, each once it is known."""
        recognizer = self.need_recognizer()
        cutter = PieceCutter(recognizer, config)
        job = await self.scheduler.encode(
            recognizer.tokenizer, recognizer.resolve_num_quantizers(config)
        )

        async def heard() -> AsyncIterator[Tensor]:
            async for block in blocks:
                cutter.hear(block)
                yield block

        async def pieces() -> AsyncGenerator[Piece, None]:
            async with aclosing(through(job, heard())) as codes:
                async for each in codes:
                    for piece in cutter.push(each):
                        yield piece
            nothing = torch.zeros(
                recognizer.resolve_num_quantizers(config), 0, dtype=torch.int64, device="cpu"
            )
            for piece in cutter.finish(nothing):
                yield piece

        async with aclosing(self._recognized(pieces(), config)) as segments:
            async for segment in segments:
                yield segment

    async def transcribe_codes(
        self, encoded: Encoded, config: DecodingConfig
    ) -> AsyncGenerator[Segment, None]:
        """The same of the codes of a recording, which are read as they are."""
        recognizer = self.need_recognizer()
        codes, tokenizer = recognizer.bare(encoded), recognizer.tokenizer
        loudness: Tensor | None = None
        if recognizer.is_long(codes.shape[1], config):
            job = await self.scheduler.decode(tokenizer)
            size = tokenizer.frame_size
            async with aclosing(through(job, _once(codes))) as audio:
                loudness = torch.cat([frame_loudness(each, size) async for each in audio])
        cuts = recognizer.pieces(codes.shape[1], loudness, config)
        depth, rate = (
            min(recognizer.resolve_num_quantizers(config), len(codes)),
            tokenizer.frame_rate,
        )
        seconds = float(encoded.duration)

        async def pieces() -> AsyncGenerator[Piece, None]:
            for start, end in cuts:
                ends = min(end / rate, seconds)
                yield Piece(start / rate, ends, codes[:depth, start:end])

        async with aclosing(self._recognized(pieces(), config)) as segments:
            async for segment in segments:
                yield segment

    async def _recognized(
        self, pieces: AsyncGenerator[Piece, None], config: DecodingConfig
    ) -> AsyncGenerator[Segment, None]:
        """Segments in order; a few pieces are recognised at once."""
        tasks: list[asyncio.Task[Segment]] = []
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    tasks.append(asyncio.create_task(self._segment(piece, config)))
                    while tasks and (tasks[0].done() or len(tasks) > PIECES_AHEAD):
                        yield await tasks.pop(0)
            while tasks:
                yield await tasks.pop(0)
        finally:
            for task in tasks:
                task.cancel()

    async def _segment(self, piece: Piece, config: DecodingConfig) -> Segment:
        transcript = await self.scheduler.recognize(piece.codes, config)
        return Segment(piece.start, piece.end, transcript)

    def need_synthesizer(self) -> Synthesizer:
        """The synthesizer. Raises ApiError where there is none."""
        if self.models.synthesizer is None:
            raise ApiError(404, "this server has no speech model", code="model_not_found")
        return self.models.synthesizer

    def need_recognizer(self) -> Recognizer:
        """The recogniser. Raises ApiError where there is none."""
        if self.models.recognizer is None:
            raise ApiError(404, "this server has no speech recogniser", code="model_not_found")
        return self.models.recognizer


async def through(job: Job, pieces: AsyncIterable[Tensor]) -> AsyncGenerator[Tensor, None]:
    """What a job makes of pieces that are pushed into it while it is read.

    Raises what `pieces` raises.
    """
    assert isinstance(job, EncodeJob | DecodeJob)

    async def feed() -> None:
        try:
            async for piece in pieces:
                await job.push(piece)
            job.finish()
        except Exception as error:
            job.fail(error)

    feeding = asyncio.create_task(feed())
    try:
        async for each in job:
            yield each
    finally:
        feeding.cancel()
        job.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


def too_long(seconds: float) -> ApiError:
    """Of a recording."""
    return ApiError(413, f"the recording is longer than {seconds:g} s", code="audio_too_long")


async def _once(item: Tensor) -> AsyncIterator[Tensor]:
    yield item
