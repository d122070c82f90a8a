"""Training a tokenizer from scratch: configurations, data, losses, the loop."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.training.config import OptimizerConfig, TrainConfig, TrainStage
    from catok.training.data import Corpora, read_cuts
    from catok.training.data.config import DataConfig
    from catok.training.discriminators.ensemble import DiscriminatorConfig, Discriminators
    from catok.training.loop import Trainer
    from catok.training.losses.compressed_spectrum import CompressedSpectrumConfig
    from catok.training.losses.mel import MelLoss, MelLossConfig
    from catok.training.losses.waveform import WaveformLossConfig
    from catok.training.losses.weighted_waveform import WeightedWaveformConfig
    from catok.training.recipe import load_recipe, override_recipe
    from catok.training.semantic.config import SemanticConfig
    from catok.training.semantic.head import SemanticHead

__all__ = [
    "CompressedSpectrumConfig",
    "Corpora",
    "DataConfig",
    "DiscriminatorConfig",
    "Discriminators",
    "MelLoss",
    "MelLossConfig",
    "OptimizerConfig",
    "SemanticConfig",
    "SemanticHead",
    "TrainConfig",
    "TrainStage",
    "Trainer",
    "WaveformLossConfig",
    "WeightedWaveformConfig",
    "load_recipe",
    "override_recipe",
    "read_cuts",
]

__getattr__, __dir__ = lazy_names(
    "catok.training",
    {
        "CompressedSpectrumConfig": "catok.training.losses.compressed_spectrum",
        "Corpora": "catok.training.data",
        "DataConfig": "catok.training.data.config",
        "DiscriminatorConfig": "catok.training.discriminators.ensemble",
        "Discriminators": "catok.training.discriminators.ensemble",
        "MelLoss": "catok.training.losses.mel",
        "MelLossConfig": "catok.training.losses.mel",
        "OptimizerConfig": "catok.training.config",
        "SemanticConfig": "catok.training.semantic.config",
        "SemanticHead": "catok.training.semantic.head",
        "TrainConfig": "catok.training.config",
        "TrainStage": "catok.training.config",
        "Trainer": "catok.training.loop",
        "WaveformLossConfig": "catok.training.losses.waveform",
        "WeightedWaveformConfig": "catok.training.losses.weighted_waveform",
        "load_recipe": "catok.training.recipe",
        "override_recipe": "catok.training.recipe",
        "read_cuts": "catok.training.data",
    },
)
