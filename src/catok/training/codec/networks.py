"""The networks of a run, new or from folders, compiled where torch.compile works."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from catok.io.hub import find_folder
from catok.io.json import read_json
from catok.modules.transformer import TransformerStage
from catok.tokenizer.checkpoint import CONFIG as MODEL
from catok.tokenizer.checkpoint import DISCRIMINATORS, SEMANTIC
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.model import CodecModel
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.codec.discriminators.ensemble import CONFIG as DISCRIMINATORS_CONFIG
from catok.training.codec.discriminators.ensemble import (
    PRESETS,
    DiscriminatorConfig,
    Discriminators,
)
from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.train_config import CodecTrainConfig


@dataclass(frozen=True)
class CodecNetworks:
    """What a run trains; `discriminators` and `semantic` where its recipe has them. `is_new`: the
    codec was just initialised.
    """

    codec: CausalAudioTokenizer
    discriminators: Discriminators | None
    semantic: SemanticHead | None
    is_new: bool


def build_codec_networks(config: CodecTrainConfig) -> CodecNetworks:
    """Build what the recipe names; seed torch beforehand.

    A codec that training begins from (`init_from`) brings along the discriminators and the semantic
    head that were published with it in its sub-folders, if the recipe has any. The name of an
    embedded model or a preset is that one, whatever lies in the working directory: the folder of
    that name is "./name". Raises ValueError on unknown names and unreadable files.
    """
    if config.init_from is None:
        folder = None
        codec = CausalAudioTokenizer(read_architecture(config.architecture))
    else:
        folder = find_folder(config.init_from, companions=True)
        codec = CausalAudioTokenizer.from_pretrained(folder)
    discriminators = semantic = None
    if any(stage.adversarial for stage in config.stages):
        discriminators = _discriminators(config.gan.discriminators, folder)
    if config.semantic is not None:
        semantic = (
            SemanticHead.from_pretrained(folder / SEMANTIC)
            if folder is not None and (folder / SEMANTIC).is_dir()
            else SemanticHead(config.semantic, codec.config.quantizer.input_dim)
        )
    return CodecNetworks(codec, discriminators, semantic, is_new=folder is None)


def read_architecture(name: str) -> TokenizerConfig:
    """A preset, or the sizes in a JSON file. Raises ValueError where it is neither."""
    if name in TokenizerConfig.presets():
        return TokenizerConfig.preset(name)
    if name.endswith(".json"):
        return TokenizerConfig.from_dict(read_json(Path(name)))
    if (Path(name) / MODEL).exists():
        raise ValueError(
            f"architecture {name!r} is a trained model: init_from = {name!r} goes on with it"
        )
    known = TokenizerConfig.presets()
    raise ValueError(f"architecture {name!r} is neither a preset {known} nor a .json file")


def _discriminators(name: str, folder: Path | None) -> Discriminators:
    """Those of a folder of their own, those published with the codec in `folder`, or new ones."""
    if name not in PRESETS and (Path(name) / DISCRIMINATORS_CONFIG).exists():
        return Discriminators.from_pretrained(Path(name))
    if folder is not None and (folder / DISCRIMINATORS).is_dir():
        return Discriminators.from_pretrained(folder / DISCRIMINATORS)
    return Discriminators(DiscriminatorConfig.preset(name))


logger = logging.getLogger(__name__)


def compile_codec(codec: CodecModel, audio: torch.Tensor, *, autocast: bool = False) -> bool:
    """Compile every Transformer stage in place, proven by a pass over `audio` `[B, C, T]`, which
    `autocast` does in bfloat16.

    Stages by themselves are compiled in a minute, a whole encoder in many. Names of parameters stay
    as they are. Returns False, with a warning, where this machine cannot compile them; the codec
    then runs as before.
    """
    stages = [module for module in codec.modules() if isinstance(module, TransformerStage)]
    try:
        for stage in stages:
            stage.compile()
        with torch.autocast(audio.device.type, torch.bfloat16, enabled=autocast):
            result = codec(audio)
        result.audio.sum().backward()
        return True
    except Exception as error:  # the compiler's own kinds of error are many
        for stage in stages:
            stage._compiled_call_impl = None
        logger.warning("torch.compile does not work here, going on without: %s", error)
        return False
    finally:
        codec.zero_grad(set_to_none=True)
