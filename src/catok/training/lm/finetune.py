"""Fine-tuning of a speech model: the usual settings for another voice, or other speech."""

from pathlib import Path

from catok.lm.folder import load_config
from catok.lm.speech_config import SpeechConfig
from catok.training.lm.train_config import CTCConfig, LMDataConfig, LMOptimizerConfig, LMTrainConfig


def finetune_lm_recipe(
    folder: Path, *, tokenizer: str | None = None, steps: int = 300
) -> LMTrainConfig:
    """A recipe that goes on from the speech model in `folder`, for what it was trained for.

    The learning rate is a fraction of a new model's and falls to nothing, so that what the model
    knows is kept. `tokenizer`: of a model whose folder names none. Recordings without a language
    are taken to be in the model's, where it has but one. Raises ValueError when the folder is
    no speech model.
    """
    config, speech = load_config(folder), SpeechConfig.load(folder)
    if tokenizer is None:
        if speech is None:
            raise ValueError(
                f"{folder} has no speech.json to say whose codes it speaks: give its tokenizer"
            )
        beside = folder / speech.tokenizer
        tokenizer = str(beside) if beside.is_dir() else speech.tokenizer
    tasks = ("tts",) if speech is None else speech.tasks
    languages = () if speech is None else speech.languages
    reads_bytes = speech is not None and speech.text == "bytes"
    return LMTrainConfig(
        steps=steps,
        init_from=str(folder),
        tokenizer=tokenizer,
        tasks=dict.fromkeys(tasks, 1.0),
        data=LMDataConfig(
            rows_per_batch=1200 if reads_bytes else 4096,
            no_text=0.1 if speech is not None and speech.sampling.guidance != 1 else 0.0,
            language=languages[0] if len(languages) == 1 else None,
        ),
        optimizer=LMOptimizerConfig(
            learning_rate=2e-4 if config.width < 1024 else 2e-5,
            warmup_steps=min(20, steps),
            min_lr_ratio=0.0,
        ),
        ctc=CTCConfig(weight=0.3 if reads_bytes else 0.0),
        log_every=10,
        validate_every=100,
    )
