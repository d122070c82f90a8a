"""Training tokenizers and language models: configurations, data, losses, one engine."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.training.codec.data import Corpora, read_cuts
    from catok.training.codec.data.data_config import DataConfig
    from catok.training.codec.discriminators.ensemble import DiscriminatorConfig, Discriminators
    from catok.training.codec.losses.base import Loss, LossConfig, LossInputs
    from catok.training.codec.losses.compressed_spectrum import CompressedSpectrumConfig
    from catok.training.codec.losses.mel import MelLoss, MelLossConfig
    from catok.training.codec.losses.waveform import WaveformLossConfig
    from catok.training.codec.losses.weighted_waveform import WeightedWaveformConfig
    from catok.training.codec.semantic.head import SemanticHead
    from catok.training.codec.semantic.semantic_config import SemanticConfig
    from catok.training.codec.train_config import (
        CodecTrainConfig,
        TrainStage,
        load_recipe,
        override_recipe,
    )
    from catok.training.codec.trainer import CodecTrainer
    from catok.training.engine.recipe import read_recipe
    from catok.training.engine.run_config import OptimizerConfig, ParameterGroup
    from catok.training.lm.networks import build_lm_networks
    from catok.training.lm.prepare import open_corpus
    from catok.training.lm.train_config import LMOptimizerConfig, LMTrainConfig
    from catok.training.lm.trainer import LMTrainer

__all__ = [
    "CodecTrainConfig",
    "CodecTrainer",
    "CompressedSpectrumConfig",
    "Corpora",
    "DataConfig",
    "DiscriminatorConfig",
    "Discriminators",
    "LMOptimizerConfig",
    "LMTrainConfig",
    "LMTrainer",
    "Loss",
    "LossConfig",
    "LossInputs",
    "MelLoss",
    "MelLossConfig",
    "OptimizerConfig",
    "ParameterGroup",
    "SemanticConfig",
    "SemanticHead",
    "TrainStage",
    "WaveformLossConfig",
    "WeightedWaveformConfig",
    "build_lm_networks",
    "load_recipe",
    "open_corpus",
    "override_recipe",
    "read_cuts",
    "read_recipe",
]

__getattr__, __dir__ = lazy_names(
    "catok.training",
    {
        "CompressedSpectrumConfig": "catok.training.codec.losses.compressed_spectrum",
        "Corpora": "catok.training.codec.data",
        "DataConfig": "catok.training.codec.data.data_config",
        "DiscriminatorConfig": "catok.training.codec.discriminators.ensemble",
        "Discriminators": "catok.training.codec.discriminators.ensemble",
        "LMOptimizerConfig": "catok.training.lm.train_config",
        "LMTrainConfig": "catok.training.lm.train_config",
        "LMTrainer": "catok.training.lm.trainer",
        "Loss": "catok.training.codec.losses.base",
        "LossConfig": "catok.training.codec.losses.base",
        "LossInputs": "catok.training.codec.losses.base",
        "MelLoss": "catok.training.codec.losses.mel",
        "MelLossConfig": "catok.training.codec.losses.mel",
        "OptimizerConfig": "catok.training.engine.run_config",
        "ParameterGroup": "catok.training.engine.run_config",
        "SemanticConfig": "catok.training.codec.semantic.semantic_config",
        "SemanticHead": "catok.training.codec.semantic.head",
        "CodecTrainConfig": "catok.training.codec.train_config",
        "TrainStage": "catok.training.codec.train_config",
        "CodecTrainer": "catok.training.codec.trainer",
        "WaveformLossConfig": "catok.training.codec.losses.waveform",
        "WeightedWaveformConfig": "catok.training.codec.losses.weighted_waveform",
        "build_lm_networks": "catok.training.lm.networks",
        "load_recipe": "catok.training.codec.train_config",
        "open_corpus": "catok.training.lm.prepare",
        "override_recipe": "catok.training.codec.train_config",
        "read_cuts": "catok.training.codec.data",
        "read_recipe": "catok.training.engine.recipe",
    },
)
