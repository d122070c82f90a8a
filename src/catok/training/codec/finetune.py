"""Fine-tuning: the usual settings for going on with a trained model."""

from pathlib import Path

from catok.tokenizer.checkpoint import DISCRIMINATORS, SEMANTIC
from catok.training.codec.codebooks.revival import RevivalConfig
from catok.training.codec.data import DataConfig
from catok.training.codec.semantic.folder import read_config_of
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.train_config import CodecTrainConfig, GanConfig, TrainStage
from catok.training.engine.run_config import OptimizerConfig

WHOLE = DataConfig(mode="buckets", max_seconds=10.0, batch_seconds=20.0)  # a crop loses its text


def finetune_recipe(
    folder: Path,
    freeze: tuple[str, ...],
    *,
    adversarial: bool = False,
    semantic: bool = False,
    steps: int = 2000,
) -> CodecTrainConfig:
    """A recipe that goes on from the model in `folder`, at a tenth of a new model's rate.

    With "encoder" and "quantizer" in `freeze` the model's codes stay as they are. `adversarial`
    begins with the discriminators that were published with the model, or else with new small ones;
    `semantic`, on whole utterances, with the published language model that reads the latents, or
    else with a new one of 0.4 M. Raises ValueError on parts that do not exist, when nothing would
    learn, and with `semantic` where the encoder is frozen: it is what the head would teach.
    """
    if semantic and "encoder" in freeze:
        raise ValueError(
            "--semantic teaches the encoder to keep what is said, and the encoder is frozen: add "
            '--freeze "" to train all of the model (its codes change), or leave --semantic out'
        )
    discriminators, reader = folder / DISCRIMINATORS, None
    if semantic:
        head = folder / SEMANTIC
        reader = read_config_of(head) if head.is_dir() else SemanticConfig.preset("mini")
    return CodecTrainConfig(
        init_from=str(folder),
        stages=(TrainStage(steps=steps, adversarial=adversarial, freeze=freeze),),
        data=WHOLE if semantic else DataConfig(),
        optimizer=OptimizerConfig(learning_rate=1e-4, warmup_steps=min(200, steps)),
        gan=GanConfig(str(discriminators) if discriminators.is_dir() else "small"),
        semantic=reader,
        revival=RevivalConfig(after=0),
        log_every=10,
    )
