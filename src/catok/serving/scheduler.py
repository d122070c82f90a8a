"""One thread that owns the models: it takes a step of everything that runs, again and again.

Requests never touch a model. They post what they want, and are told what came of it; each has a
row of its own in a pool or an engine, and the rows know nothing of each other.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

from catok.lm.asr.continuous import RecognitionEngine
from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.transcript import Transcript
from catok.lm.continuous import GenerationEngine
from catok.lm.tts.prompt import SpeechPrompt
from catok.serving.jobs import Cancelled, DecodeJob, EncodeJob, Job, SpeakJob
from catok.serving.models import Models
from catok.serving.stepping_thread import SteppingThread, call_in_loop
from catok.tokenizer.interface import AudioTokenizer
from catok.tokenizer.stream_pool import DecoderPool, EncoderPool
from catok.tokenizer.tokenizer import CausalAudioTokenizer

STREAMS = 1024  # rows of every pool: admission keeps requests far below
log = logging.getLogger("catok.serving")


class Scheduler(SteppingThread):
    """`start` it, use it from any event loop, `stop` it.

    `speech_rows` and `recognition_rows`: how many utterances and pieces run at once; others wait.
    """

    def __init__(self, models: Models, speech_rows: int = 32, recognition_rows: int = 8) -> None:
        super().__init__("catok-scheduler")
        self.models = models
        self._rows = speech_rows, recognition_rows
        self.encoding: dict[EncoderPool, dict[int, EncodeJob]] = {}
        self.decoding: dict[DecoderPool, dict[int, DecodeJob]] = {}
        self.speaking: dict[int, SpeakJob] = {}
        self.recognizing: dict[int, Recognition] = {}
        self._encoders: dict[int, EncoderPool] = {}
        self._decoders: dict[int, DecoderPool] = {}
        self.generation: GenerationEngine | None = None
        self.recognition: RecognitionEngine | None = None
        for tokenizer in models.tokenizers:
            self._new_encoders(tokenizer)
            self._new_decoders(tokenizer)
        self._new_generation()
        self._new_recognition()

    async def encode(
        self, tokenizer: AudioTokenizer, num_quantizers: int | None = None
    ) -> EncodeJob:
        """Begin to encode. Raises ValueError on a wrong number."""
        return await self._started(EncodeJob(self, self._encoders[id(tokenizer)], num_quantizers))

    async def decode(self, tokenizer: AudioTokenizer, samples: int | None = None) -> DecodeJob:
        """Begin to decode."""
        return await self._started(DecodeJob(self, self._decoders[id(tokenizer)], samples))

    async def speak(self, prompt: SpeechPrompt) -> SpeakJob:
        """Begin to speak."""
        synth = self.models.synthesizer
        if synth is None:
            raise ValueError("this server has no speech model")
        return await self._started(SpeakJob(self, self._decoders[id(synth.tokenizer)], prompt))

    async def recognize(self, codes: Tensor, config: DecodingConfig) -> Transcript:
        """What is said in a piece, codes `[K, F]`."""
        if self.recognition is None:
            raise ValueError("this server has no speech recogniser")
        loop = asyncio.get_running_loop()
        waiting = Recognition(loop, loop.create_future())

        def admit() -> None:
            if waiting.cancelled:
                return
            assert self.recognition is not None
            try:
                waiting.number = self.recognition.admit(codes, config)
                self.recognizing[waiting.number] = waiting
            except Exception as error:
                waiting.settle("set_exception", error)

        def forget() -> None:
            if self.recognition is not None:
                self.recognition.retire(waiting.number)
            self.recognizing.pop(waiting.number, None)

        self.post(admit)
        self._check_alive()
        try:
            return await waiting.future
        except asyncio.CancelledError:
            waiting.cancelled = True
            self.post(forget)
            raise

    J = TypeVar("J", bound=Job)

    async def _started(self, job: J) -> J:
        try:
            await self.call(job.start)
        except asyncio.CancelledError:
            job.cancel()
            raise
        return job

    def _busy(self) -> bool:
        engines = (self.generation, self.recognition, *self.encoding, *self.decoding)
        return any(each is not None and each.busy for each in engines)

    def _step_all(self) -> None:
        for encoder, encoding in list(self.encoding.items()):
            if encoder.busy:
                self._guarded(lambda e=encoder, j=encoding: _step(e, j), encoding, encoder)
        if self.generation is not None and self.generation.busy:
            self._guarded(self._generate, self.speaking, self.generation)
        for decoder, decoding in list(self.decoding.items()):
            if decoder.busy:
                self._guarded(lambda d=decoder, j=decoding: _step(d, j), decoding, decoder)
        if self.recognition is not None and self.recognition.busy:
            self._guarded(self._recognize, self.recognizing, self.recognition)

    def _generate(self) -> None:
        assert self.generation is not None
        for frame in self.generation.step():
            job = self.speaking.get(frame.row)
            if job is not None:
                job.frame(frame)
                if frame.over:
                    del self.speaking[frame.row]

    def _recognize(self) -> None:
        assert self.recognition is not None
        for number, transcript in self.recognition.step():
            waiting = self.recognizing.pop(number, None)
            if waiting is not None:
                waiting.settle("set_result", transcript)

    def _guarded(self, step: Callable[[], None], jobs: dict[int, Any], part: object) -> None:
        """A step that fails ends the requests that took part in it; the part is built anew."""
        try:
            step()
        except Exception as error:
            log.exception("a step of %s failed", type(part).__name__)
            for job in list(jobs.values()):
                job.end(RuntimeError(f"the model failed ({type(error).__name__})"))
                job.release()
            jobs.clear()
            if isinstance(part, EncoderPool):
                del self.encoding[part]
                self._new_encoders(part.model)  # type: ignore[arg-type]
            elif isinstance(part, DecoderPool):
                del self.decoding[part]
                self._new_decoders(part.model)  # type: ignore[arg-type]
            elif isinstance(part, GenerationEngine):
                self._new_generation()
            else:
                self._new_recognition()

    def _abandon(self) -> None:
        jobs = [*self.speaking.values(), *self.recognizing.values()]
        for each in (*self.encoding.values(), *self.decoding.values()):
            jobs += list(each.values())  # type: ignore[arg-type]
        for job in jobs:
            job.end(Cancelled("the server stops"))

    def _new_encoders(self, tokenizer: CausalAudioTokenizer) -> None:
        self._encoders[id(tokenizer)] = pool = EncoderPool(tokenizer, STREAMS)
        self.encoding[pool] = {}

    def _new_decoders(self, tokenizer: CausalAudioTokenizer) -> None:
        self._decoders[id(tokenizer)] = pool = DecoderPool(tokenizer, STREAMS)
        self.decoding[pool] = {}

    def _new_generation(self) -> None:
        synth = self.models.synthesizer
        self.generation = synth and GenerationEngine(synth.model, self._rows[0])

    def _new_recognition(self) -> None:
        recognizer = self.models.recognizer
        self.recognition = recognizer and RecognitionEngine(recognizer, self._rows[1])


class Recognition:
    """Who waits for a transcript."""

    def __init__(self, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Transcript]"):
        self._loop, self.future = loop, future
        self.number = 0
        self.cancelled = False

    def settle(self, method: str, value: Any) -> None:
        """Set the result or the exception."""

        def settle() -> None:
            if not self.future.done():
                getattr(self.future, method)(value)

        call_in_loop(self._loop, settle)

    def end(self, error: BaseException) -> None:
        """It failed."""
        self.settle("set_exception", error)

    def release(self) -> None:
        """Nothing to free: the engine is built anew."""


def _step(pool: EncoderPool | DecoderPool, jobs: dict[int, Any]) -> None:
    for output in pool.step():
        job = jobs.get(output.stream)
        if job is not None:
            job.output(output)
            if output.ended:
                del jobs[output.stream]
