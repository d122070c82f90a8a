"""Sentences of a text that is being written, for whom they are spoken by."""

import asyncio
from collections.abc import AsyncGenerator

from catok.lm.tts.text_splitting import SentenceSplitter
from catok.serving.errors import ApiError

LONGEST_TEXT = 128 << 10  # characters of one text
WAITING = 64  # sentences


class SentenceQueue:
    """An asynchronous iterator over the sentences; a writer who is far ahead has to wait.

    `longest`: characters that a text may have, 128 Ki at least. `waiting`: sentences not yet said.
    """

    def __init__(self, longest: int) -> None:
        self._splitter = SentenceSplitter()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(WAITING)
        self._longest, self._length = max(longest, LONGEST_TEXT), 0
        self.waiting = 0

    async def write(self, text: str) -> None:
        """The next characters. Raises ApiError on too many."""
        self._length += len(text)
        if self._length > self._longest:
            raise ApiError(413, f"a text has at most {self._longest} characters", param="text")
        for sentence in self._splitter.push(text):
            await self._put(sentence)

    async def end(self) -> None:
        """The text ends here."""
        for sentence in self._splitter.finish():
            await self._put(sentence)
        await self._queue.put(None)

    async def _put(self, sentence: str) -> None:
        self.waiting += 1
        await self._queue.put(sentence)

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        while (sentence := await self._queue.get()) is not None:
            yield sentence
            self.waiting -= 1
