"""The networks of a run, new or from folders, and all that belongs to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from catok.io.hub import embedded_models, find_folder
from catok.io.json import read_json
from catok.io.stored_weights import CONFIG
from catok.lm.asr.ctc import CTCHead
from catok.lm.config import PRESETS, TokenLMConfig
from catok.lm.folder import save_folder
from catok.lm.model import TokenLM
from catok.lm.prompt import PromptBuilder
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import check_tokenizer
from catok.lm.text import ByteTokenizer, ModelTokenizer, TextTokenizer, read_text_tokenizer
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.lm.corpus import CodesFormat, Corpus
from catok.training.lm.init_from_codec import initialize_codes
from catok.training.lm.init_from_qwen3 import from_text_model
from catok.training.lm.train_config import LMTrainConfig


@dataclass(frozen=True)
class LMNetworks:
    """What a run trains, `model` and `ctc` (None without), and what it needs besides.

    `speech`: what the model was before, where it was one that could be spoken with.
    """

    model: TokenLM
    ctc: CTCHead | None
    text: TextTokenizer
    tokenizer: CausalAudioTokenizer
    speech: SpeechConfig | None = None

    @property
    def prompt_builder(self) -> PromptBuilder:
        """For the model's rows."""
        return PromptBuilder(self.model.config, self.text)

    @property
    def space(self) -> CodesFormat:
        """Whose codes the model speaks."""
        tok = self.tokenizer
        return CodesFormat(self.model.config.n_vq, tok.frame_rate, tok.weight_hash)


def build_lm_networks(config: LMTrainConfig) -> LMNetworks:
    """Build what the recipe names; seed torch beforehand.

    A model that training begins from (`init_from`) brings along its text tokenizer and CTC head.
    Raises ValueError on unknown names, unreadable files, and an audio tokenizer that does not fit
    the model.
    """
    tok = CausalAudioTokenizer.from_pretrained(config.tokenizer, part="encoder")
    folder, speech = None, None
    if config.init_from is not None:
        folder = find_folder(config.init_from)
        model = TokenLM.from_pretrained(folder)
        speech = SpeechConfig.load(folder)
        text = read_text_tokenizer(folder, model.config)
        check_tokenizer(tok, model.config, speech)
    elif config.from_text_model is not None:
        model = from_text_model(config.from_text_model, read_architecture(config.architecture))
        text = ModelTokenizer(find_folder(config.from_text_model))
        check_tokenizer(tok, model.config, None)
    else:
        model = TokenLM(read_architecture(config.architecture))
        text = ByteTokenizer(model.config)
        check_tokenizer(tok, model.config, None)
    if "tts" in config.tasks and not model.config.audio_heads:
        raise ValueError(
            f"{config.init_from or config.architecture} has no audio heads (audio_heads is false) "
            'and cannot learn to speak: leave "tts" out of tasks, or name another model'
        )
    if config.channel_weights and len(config.channel_weights) < model.config.channels:
        raise ValueError(
            f"channel_weights needs {model.config.channels} numbers, for text and every codebook, "
            f"got {len(config.channel_weights)}"
        )
    if folder is None and config.codec_embeddings != "off":
        draw = torch.Generator().manual_seed(config.seed)
        initialize_codes(model, tok, config.codec_embeddings, draw)
    return LMNetworks(model.train(), _ctc(config, model, folder), text, tok, speech)


def publish(
    networks: LMNetworks,
    config: LMTrainConfig,
    corpus: Corpus,
    folder: Path,
    tensors: Mapping[str, Tensor],
) -> None:
    """Write a model as `catok tts` and `catok asr` load it: weights, tokenizer, `speech.json`.

    `tensors`: the model's state, which may be sharded. A model that went on from another keeps how
    that is sampled, how many codebooks it uses, and what it has read.
    """
    save_folder(folder, networks.model.config, tensors)
    if networks.ctc is not None and "asr" in config.tasks:
        networks.ctc.save(folder)
    if isinstance(networks.text, ModelTokenizer):
        networks.text.save(folder)
    named, local = config.tokenizer, Path(config.tokenizer)
    is_local = named not in embedded_models() and local.is_dir()
    before = networks.speech or SpeechConfig(named)
    SpeechConfig(
        tokenizer=str(local.resolve()) if is_local else named,
        weight_hash=networks.tokenizer.weight_hash,
        text="files" if isinstance(networks.text, ModelTokenizer) else "bytes",
        tasks=config.task_names,
        num_quantizers=before.num_quantizers,
        languages=corpus.languages,
        characters=_characters(networks, corpus),
        reference_seconds=_longest_reference(networks.speech, config),
        no_speech_threshold=before.no_speech_threshold,
        sampling=before.sampling,
    ).save(folder)


def _characters(networks: LMNetworks, corpus: Corpus) -> str:
    """Of all texts that the model has read; "" if that is not known, as of a pretrained one."""
    before = networks.speech.characters if networks.speech else ""
    if isinstance(networks.text, ModelTokenizer) or (networks.speech and not before):
        return ""
    return "".join(sorted({*before, *corpus.characters}))


def _longest_reference(before: SpeechConfig | None, config: LMTrainConfig) -> float | None:
    """Of this training and the one before; None where one of them is not known or had none."""
    now = config.data.reference_seconds if "tts" in config.tasks and config.data.clone else None
    if before is None or now is None:
        return now if before is None else before.reference_seconds
    return None if before.reference_seconds is None else max(before.reference_seconds, now)


def read_architecture(name: str) -> TokenLMConfig:
    """A preset, or the sizes in a JSON file. Raises ValueError where it is neither."""
    presets = sorted(file.name.removesuffix(".json") for file in PRESETS.iterdir())
    if name in presets:
        return TokenLMConfig.preset(name)
    if name.endswith(".json"):
        return TokenLMConfig.from_dict(read_json(Path(name)))
    if (Path(name) / CONFIG).exists():
        raise ValueError(
            f"architecture {name!r} is a trained model: init_from = {name!r} goes on with it"
        )
    raise ValueError(f"architecture {name!r} is neither a preset {presets} nor a .json file")


def _ctc(config: LMTrainConfig, model: TokenLM, folder: Path | None) -> CTCHead | None:
    if not config.ctc.weight:
        return None
    head = None if folder is None else CTCHead.load(folder)
    if head is not None and head.per_frame == config.ctc.per_frame:
        return head.train()
    return CTCHead(model.config.width, model.config.vocab_size, config.ctc.per_frame)
