"""The networks of a run, new or from folders."""

from dataclasses import dataclass
from pathlib import Path

from catok.io.json import read_json
from catok.tokenizer.checkpoint import CONFIG as MODEL
from catok.tokenizer.checkpoint import JUDGES, SEMANTIC
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.codec.config import TrainConfig
from catok.training.codec.discriminators.ensemble import CONFIG as DISCRIMINATORS
from catok.training.codec.discriminators.ensemble import (
    PRESETS,
    DiscriminatorConfig,
    Discriminators,
)
from catok.training.codec.semantic.head import SemanticHead


@dataclass(frozen=True)
class Networks:
    """What a run trains; `judges` and `semantic` where its recipe has them. `is_new`: the codec
    was just initialised.
    """

    codec: CausalAudioTokenizer
    judges: Discriminators | None
    semantic: SemanticHead | None
    is_new: bool


def build_networks(config: TrainConfig) -> Networks:
    """Build what the recipe names; seed torch beforehand.

    A codec from a folder brings along the discriminators and the semantic head that were published
    with it in its sub-folders, if the recipe has any. The name of a preset is that preset, whatever
    lies in the working directory: the folder of that name is "./name". A .json file holds a new
    codec's sizes. Raises ValueError on unknown presets and unreadable files.
    """
    folder = Path(config.tokenizer)
    is_new = config.tokenizer in TokenizerConfig.presets() or not (folder / MODEL).exists()
    codec = _new_codec(config.tokenizer) if is_new else CausalAudioTokenizer.from_pretrained(folder)
    judges = semantic = None
    if any(stage.adversarial for stage in config.stages):
        named = config.adversary.discriminators
        is_folder = named not in PRESETS and (Path(named) / DISCRIMINATORS).exists()
        published = Path(named) if is_folder else folder / JUDGES
        judges = (
            Discriminators.from_pretrained(published)
            if is_folder or (not is_new and published.is_dir())
            else Discriminators(DiscriminatorConfig.preset(named))
        )
    if config.semantic is not None:
        semantic = (
            SemanticHead.from_pretrained(folder / SEMANTIC)
            if not is_new and (folder / SEMANTIC).is_dir()
            else SemanticHead(config.semantic, codec.config.quantizer.input_dim)
        )
    return Networks(codec, judges, semantic, is_new)


def _new_codec(name: str) -> CausalAudioTokenizer:
    if name.endswith(".json"):
        return CausalAudioTokenizer(TokenizerConfig.from_dict(read_json(Path(name))))
    try:
        return CausalAudioTokenizer(TokenizerConfig.preset(name))
    except ValueError as error:
        raise ValueError(f"tokenizer {name!r} is no model folder, and there is {error}") from error
