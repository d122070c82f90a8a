"""What a training run of a token language model is: one frozen dataclass, kept with every state."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from catok.lm.speech_config import Task
from catok.training.engine.run_config import OptimizerConfig, RunConfig
from catok.training.lm.sequence_dropout import SequenceDropoutConfig

TASKS: tuple[Task, ...] = ("tts", "asr")


@dataclass(frozen=True)
class LMOptimizerConfig(OptimizerConfig):
    """The defaults for language models: AdamW and 2e-4 are the paper's, the rest is usual.

    Weight decay is for matrices, embeddings left out.
    """

    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1


@dataclass(frozen=True)
class LMDataConfig:
    """How recordings become batches.

    `rows_per_batch`: frames and text rows of a micro-batch, padding counted. `max_seconds`,
    `min_seconds`, `max_text` (text tokens): recordings outside these are left out and counted.
    `clone`: share of synthesis examples that hear another recording of the same voice, of at most
    `reference_seconds` (longer ones are cut), before they speak. `continuation`: share of them
    that go on with a random beginning of the recording itself. `no_text`: share of them that have
    to speak without being told the text, for guidance. `workers`: threads that prepare batches
    ahead. `codes_in_memory`: gigabytes that codes may take up; what is beyond is read from
    its file every time. `language`: the tag of recordings for which the data gives none.
    `empty_text`: in recordings whose text is stated as "" nobody speaks (music, noise): recognition
    learns to write nothing, synthesis never has them. Otherwise they are left out and counted, as
    are those without a text.
    """

    rows_per_batch: int = 4096
    min_seconds: float = 0.3
    max_seconds: float = 30.0
    max_text: int = 1000
    clone: float = 0.5
    reference_seconds: float = 10.0
    continuation: float = 0.0
    no_text: float = 0.0
    workers: int = 0
    codes_in_memory: float = 8.0
    language: str | None = None
    empty_text: bool = False

    def __post_init__(self) -> None:
        if self.rows_per_batch < 1 or self.max_text < 1 or self.workers < 0:
            raise ValueError("data needs rows_per_batch and max_text >= 1 and workers >= 0")
        if not 0 <= self.min_seconds < self.max_seconds or not self.reference_seconds > 0:
            raise ValueError("data needs 0 <= min_seconds < max_seconds and reference_seconds > 0")
        if self.codes_in_memory < 0:
            raise ValueError("data.codes_in_memory must not be negative: 0 keeps none")
        for name in ("clone", "continuation", "no_text"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"data.{name} is a share from 0 to 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class MaskingConfig:
    """Hiding spans of frames from recognition, as SpecAugment does (Park et al. 2019).

    A recording loses up to `share` of its frames, in spans of 1 to `longest` frames: they hold the
    pad code in all codebooks. 0 hides nothing.
    """

    share: float = 0.0
    longest: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1 or self.longest < 1:
            raise ValueError("masking needs 0 <= share < 1 and longest >= 1")


@dataclass(frozen=True)
class CTCConfig:
    """`weight` of the CTC loss, 0 for none; `per_frame`: positions for text in each frame.

    In recognition it teaches to listen and stays in the published model. In synthesis it teaches to
    keep the place in the text, and is left behind after training.
    """

    weight: float = 0.0
    per_frame: int = 4

    def __post_init__(self) -> None:
        if self.weight < 0 or self.per_frame < 1:
            raise ValueError("ctc needs weight >= 0 and per_frame >= 1")


@dataclass(frozen=True)
class LMTrainConfig(RunConfig):
    """A run that trains a token language model.

    `architecture`: a new model, with random weights: a preset's name or a JSON file of
    `TokenLMConfig`'s keys. `init_from`: a trained model to go on with instead, which has an
    architecture of its own: the name of an embedded one, a folder or a hub id. `from_text_model`:
    folder or hub id of a Qwen3 whose weights, sizes and text tokenizer a new model takes over.
    `tokenizer`: the audio tokenizer whose codes it speaks. `tasks`: how often each is trained,
    relative to each other.
    `channel_weights`: one for text and one per codebook; empty: all alike.
    `depth_share`: of the frames so many, drawn at random, teach all codebooks, the others only the
    first: below 1 a step costs less (Sesame's CSM, 2025, calls it compute amortisation).
    `codec_embeddings`: a new model's tables and heads begin as what each code adds to the codec's
    latent (`init_from_codec.py`); "random" and "principal" say how that is fitted to the width.
    `validation_batches`: of each task, each time.
    """

    renamed: ClassVar[dict[str, str]] = {
        "model": 'architecture = "small" is a new model with random weights, '
        'init_from = "tiny-tts" a trained one to go on with',
    }

    steps: int
    architecture: str = "small"
    init_from: str | None = None
    from_text_model: str | None = None
    tokenizer: str = "tiny"
    tasks: dict[str, float] = field(default_factory=lambda: {"tts": 1.0})
    data: LMDataConfig = field(default_factory=LMDataConfig)
    optimizer: LMOptimizerConfig = field(default_factory=LMOptimizerConfig)
    sequence_dropout: SequenceDropoutConfig = field(default_factory=SequenceDropoutConfig)
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    ctc: CTCConfig = field(default_factory=CTCConfig)
    channel_weights: tuple[float, ...] = ()
    depth_share: float = 1.0
    codec_embeddings: Literal["off", "principal", "random"] = "off"
    validation_batches: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = sorted(set(self.tasks) - set(TASKS))
        if unknown or not self.tasks or any(not 0 < w < math.inf for w in self.tasks.values()):
            raise ValueError(
                f"tasks gives {list(TASKS)} or one of them a positive weight, got {self.tasks}"
            )
        if self.data.empty_text and "asr" not in self.tasks:
            raise ValueError(
                f"data.empty_text teaches recognition, which tasks does not have: {self.tasks}"
            )
        if self.init_from is not None and self.from_text_model is not None:
            raise ValueError("give init_from or from_text_model, not both")
        if not 0 < self.depth_share <= 1:
            raise ValueError(f"depth_share is above 0 and at most 1, got {self.depth_share}")
        for name in ("steps", "validation_batches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def task_names(self) -> tuple[Task, ...]:
        """The tasks that are trained, in the order of `TASKS`."""
        return tuple(task for task in TASKS if task in self.tasks)
