"""A server's models, small and random, and a scheduler that runs."""

from collections.abc import Iterator

import pytest
import torch

from catok.lm.asr import Recognizer
from catok.lm.tts import Synthesizer
from catok.serving.models import Models
from catok.serving.scheduler import Scheduler
from tests.lm.asr.conftest import make as make_recognizer
from tests.lm.tts.conftest import save_speech_model


@pytest.fixture(scope="session")
def models(small_model, tmp_path_factory) -> Models:
    """All three share one audio tokenizer; do not change them in a test."""
    folder = save_speech_model(tmp_path_factory.mktemp("serving") / "tts", small_model)
    synthesizer = Synthesizer.from_pretrained(folder, tokenizer=small_model)
    recognizer: Recognizer = make_recognizer(small_model)
    return Models(small_model, synthesizer, recognizer, ("small", "small-tts", "small-asr"))


@pytest.fixture
def scheduler(models) -> Iterator[Scheduler]:
    """It runs."""
    made = Scheduler(models, speech_rows=4, recognition_rows=2)
    made.start()
    yield made
    made.stop()


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    """Audio `[1, T]`."""
    return 0.2 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))
