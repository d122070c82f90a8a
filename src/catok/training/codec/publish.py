"""The models that a run of a codec leaves in its folder."""

from pathlib import Path

from catok.tokenizer.checkpoint import DISCRIMINATORS, SEMANTIC, save_folder
from catok.training.codec.learner import CodecLearner
from catok.training.engine.distributed import full_state_dict


def publish_codec(learner: CodecLearner, folder: Path) -> None:
    """Write the codec as `from_pretrained` reads it; with a moving average, the average."""
    with learner.ema_weights():
        tensors = full_state_dict(learner.codec)
    if learner.group.is_main:
        save_folder(folder, learner.codec.config, tensors)
    learner.group.barrier()


def publish_companions(learner: CodecLearner, folder: Path) -> None:
    """Write discriminators and semantic head below a model, for whoever fine-tunes it."""
    is_main = learner.group.is_main
    if learner.discriminators is not None and is_main:
        learner.discriminators.save_pretrained(folder / DISCRIMINATORS)
    if learner.semantic is not None:
        tensors = full_state_dict(learner.semantic)
        if is_main:
            learner.semantic.save_pretrained(folder / SEMANTIC, tensors)
    learner.group.barrier()
