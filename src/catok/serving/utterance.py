"""A text that is being spoken, piece after piece."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING

from torch import Tensor

from catok.lm.tts.long_form import LongFormPlan, silence
from catok.lm.tts.request import SpeechRequest
from catok.serving.jobs import SpeakJob

if TYPE_CHECKING:
    from catok.serving.service import Service


class Utterance(AsyncIterator[Tensor]):
    """An asynchronous iterator over the audio `[C, t]` of a text; `aclose` it.

    `columns`: the codes `[K, F]` of each piece so far. `ended`: every piece so far ended by itself.
    """

    def __init__(
        self,
        service: "Service",
        request: SpeechRequest,
        pause: float,
        sentences: AsyncIterable[str] | None = None,
    ) -> None:
        self._service, self._request, self._pause = service, request, pause
        self._sentences = sentences
        self.columns: list[Tensor] = []
        self.ended = True
        self._job: SpeakJob | None = None
        self._audio = self._pieces()

    @property
    def output_tokens(self) -> int:
        """Codes that were made."""
        return sum(each.numel() for each in self.columns)

    @property
    def live_codes(self) -> Tensor | None:
        """Codes `[K, F]` so far of the piece that is being spoken."""
        return None if self._job is None else self._job.codes

    def __aiter__(self) -> "Utterance":
        return self

    async def __anext__(self) -> Tensor:
        return await anext(self._audio)

    async def aclose(self) -> None:
        """Stop speaking, and free everything."""
        await self._audio.aclose()

    async def _pieces(self) -> AsyncGenerator[Tensor, None]:
        service, synth = self._service, self._service.need_synthesizer()
        gap = silence(synth.tokenizer.channels, self._pause, synth.sample_rate)
        make = synth.plan_long if self._sentences is None else synth.plan_pieces
        plan = await service.off_loop(lambda: make(self._request))
        async for number in _numbers(plan, self._sentences):
            if number and gap.shape[1]:
                yield gap
            prompt = await service.off_loop(lambda n=number: synth.prompt(plan.piece(n)))
            self._job = job = await service.scheduler.speak(prompt)
            try:
                async for audio in job:
                    yield audio
            finally:
                job.cancel()
            self.columns.append(job.codes)
            self.ended = self.ended and job.ended
            plan.made(number, job.codes, job.ended)


async def _numbers(
    plan: LongFormPlan, sentences: AsyncIterable[str] | None
) -> AsyncGenerator[int, None]:
    for number in range(len(plan.texts)):
        yield number
    if sentences is not None:
        async for sentence in sentences:
            yield plan.add(sentence)
