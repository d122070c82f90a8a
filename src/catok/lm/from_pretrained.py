"""`from_pretrained`, for all that works with a speech model."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self, Unpack

import torch

from catok.io.hub import HubOptions
from catok.lm.speech_config import Task
from catok.lm.speech_model import SpeechModel, load_speech_model
from catok.tokenizer.interface import AudioTokenizer


class FromPretrained(ABC):
    """Base class; the subclass names its `task` and is made from a speech model."""

    task: ClassVar[Task]

    @abstractmethod
    def __init__(self, speech: SpeechModel) -> None:
        """Raises ValueError when the subclass cannot use the model."""

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        tokenizer: AudioTokenizer | str | Path | None = None,
        device: str | torch.device = "cpu",
        dtype: str | torch.dtype = torch.float32,
        backend: str = "torch",
        threads: int | None = None,
        **hub: Unpack[HubOptions],
    ) -> Self:
        """Load an embedded name, a local folder (ours or a released one) or a hub id.

        A folder never touches the network. `tokenizer`: instead of the one that the folder's
        `speech.json` names. `dtype` is that of the language model. For a hub id see
        `HubOptions` (revision, token, cache_dir, local_files_only). `backend` "onnx" runs what
        `catok export` wrote into a folder, on the CPU with `threads` threads. Raises ValueError
        when anything is missing or damaged, and as `load_speech_model` does when it does not belong
        together.
        """
        speech = load_speech_model(
            name_or_path,
            task=cls.task,
            tokenizer=tokenizer,
            device=device,
            dtype=dtype,
            backend=backend,
            threads=threads,
            **hub,
        )
        return cls(speech)
