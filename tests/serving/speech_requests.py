"""Requests to `/v1/audio/speech`, and what must come of them."""

import io
from itertools import count
from typing import Any

import httpx2 as httpx
import torch

from catok import load_audio, save_audio
from catok.lm.tts import SpeechRequest
from catok.serving.models import Models

URL = "/v1/audio/speech"


def asked(text: str = "A bed.", seed: int = 1, **fields: Any) -> dict[str, Any]:
    """The fields of a request for WAV."""
    return {"input": text, "seed": seed, "response_format": "wav", **fields}


async def said(client: httpx.AsyncClient, url: str = URL, **fields: Any) -> httpx.Response:
    """The answer to a request that must succeed."""
    answer = await client.post(url, json=asked(**fields))
    assert answer.status_code == 200, answer.text
    return answer


def as_file(audio: torch.Tensor, rate: int = 24_000) -> bytes:
    """A WAV file of audio `[C, T]`."""
    file = io.BytesIO()
    save_audio(file, audio, rate)
    return file.getvalue()


def expected(models: Models, text: str = "A bed.", seed: int = 1, **fields: Any) -> torch.Tensor:
    """The audio `[1, T]` that the library makes of the same request."""
    fields = {"max_seconds": 1.2} | fields
    stream = models.synthesizer.synthesize_long(SpeechRequest(text, seed=seed, **fields))
    return torch.cat([torch.zeros(1, 0), *stream], dim=1)


def speaking_seed(models: Models, text: str, first: int, **fields: Any) -> int:
    """The first seed from there on with which the small model says anything."""
    return next(s for s in count(first) if expected(models, text, s, **fields).shape[1])


def sound_of(answer: httpx.Response) -> torch.Tensor:
    """The audio `[C, T]` of an answer."""
    return load_audio(io.BytesIO(answer.content))[0]


def close(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Within two steps of 16 bits: sound, unlike codes, rounds with the batch."""
    return first.shape == second.shape and torch.allclose(first, second, atol=2.5 / 32768)
