"""Fine-tuning: the usual settings for going on with a trained model."""

from pathlib import Path

from catok.training.build import JUDGES
from catok.training.codebooks.revival import RevivalConfig
from catok.training.config import AdversaryConfig, OptimizerConfig, TrainConfig, TrainStage


def finetune_recipe(
    folder: Path, freeze: tuple[str, ...], *, adversarial: bool = False, steps: int = 2000
) -> TrainConfig:
    """A recipe that goes on from the model in `folder`, at a tenth of a new model's rate.

    With "encoder" and "quantizer" in `freeze` the model's codes stay as they are. `adversarial`
    begins with the discriminators that were published with the model, or else with new small ones.
    Raises ValueError on parts that do not exist, or when nothing would learn.
    """
    published = folder / JUDGES
    return TrainConfig(
        tokenizer=str(folder),
        stages=(TrainStage(steps=steps, adversarial=adversarial, freeze=freeze),),
        optimizer=OptimizerConfig(learning_rate=1e-4, warmup_steps=min(200, steps)),
        adversary=AdversaryConfig(str(published) if published.is_dir() else "small"),
        revival=RevivalConfig(after=0),
        log_every=10,
    )
