"""A speech model with all that belongs to it: language model, text tokenizer, audio tokenizer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch

from catok.io.hub import HubOptions, embedded_models, find_folder, model_name
from catok.io.kinds import SPEECH, folder_kind
from catok.lm.asr.ctc import CTCHead
from catok.lm.config import TokenLMConfig
from catok.lm.model import TokenLM
from catok.lm.speech_config import SpeechConfig, Task
from catok.lm.text import ByteTokenizer, TextTokenizer, read_text_tokenizer
from catok.tokenizer.tokenizer import CausalAudioTokenizer

RELEASED_TOKENIZER = "OpenMOSS-Team/MOSS-Audio-Tokenizer"


@dataclass(frozen=True)
class SpeechModel:
    """The parts of a speech model. `name`: what it is called, "" if nothing.

    `config` is None for a folder without `speech.json`, `ctc_head` where there is none. Raises
    ValueError when the parts do not belong together.
    """

    model: TokenLM
    text: TextTokenizer
    tokenizer: CausalAudioTokenizer
    config: SpeechConfig | None = None
    name: str = ""
    ctc_head: CTCHead | None = None

    def __post_init__(self) -> None:
        check_tokenizer(self.tokenizer, self.model.config, self.config)


def load_speech_model(
    name_or_path: str | Path,
    *,
    task: Task,
    tokenizer: CausalAudioTokenizer | str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = torch.float32,
    **hub: Unpack[HubOptions],
) -> SpeechModel:
    """Load an embedded name, a local folder (ours or a released one) or a hub id.

    For a hub id see `HubOptions`; the audio tokenizer's is fetched with the same options, but for
    `revision`, which is the language model's.

    `tokenizer`: instead of the one that `speech.json` names; a released folder has no such file
    and needs it. `dtype` is that of the language model; an audio tokenizer is loaded in float32.
    Raises ValueError when anything is missing or damaged, the model was not trained for `task`, or
    the audio tokenizer is not the one whose codes the model speaks.
    """
    folder = find_folder(name_or_path, **hub)
    config = SpeechConfig.load(folder)
    if config is not None and task not in config.tasks:
        raise ValueError(
            f"{name_or_path} was trained for {', '.join(config.tasks)}, not for {task}: give it to "
            f"{(folder_kind(folder) or SPEECH).use}"
        )
    model = TokenLM.from_pretrained(folder, device=device, dtype=dtype)
    if config is not None and config.text == "bytes":
        text: TextTokenizer = ByteTokenizer(model.config)
    else:
        text = read_text_tokenizer(folder, model.config)
    if not isinstance(tokenizer, CausalAudioTokenizer):
        where = _tokenizer_place(name_or_path, folder, config, tokenizer)
        same = HubOptions(**{**hub, "revision": None})
        tokenizer = CausalAudioTokenizer.from_pretrained(where, device=device, **same)
    head = CTCHead.load(folder) if task == "asr" else None
    head = None if head is None else head.to(model.device)
    return SpeechModel(model, text, tokenizer, config, model_name(name_or_path), head)


def check_tokenizer(
    tokenizer: CausalAudioTokenizer, config: TokenLMConfig, speech: SpeechConfig | None
) -> None:
    """Raises ValueError if a model of this `config` cannot speak this tokenizer's codes."""
    if tokenizer.codebook_size != config.audio_vocab_size:
        raise ValueError(
            f"the model's codes run to {config.audio_vocab_size}, those of this audio tokenizer to "
            f"{tokenizer.codebook_size}: give the tokenizer that the model was trained with"
        )
    if tokenizer.num_quantizers < config.n_vq:
        raise ValueError(
            f"the model has {config.n_vq} codebooks, this audio tokenizer only "
            f"{tokenizer.num_quantizers}: give the tokenizer that the model was trained with"
        )
    if speech is not None and speech.weight_hash:
        if speech.weight_hash != tokenizer.weight_hash:
            raise ValueError(
                f"the model speaks the codes of another audio tokenizer ({speech.tokenizer}, "
                f"weights {speech.weight_hash}; this one is {tokenizer.model_id or 'unnamed'}, "
                f"{tokenizer.weight_hash}): load that one"
            )
    elif tokenizer.sample_rate != config.sampling_rate:
        raise ValueError(
            f"the model was made for {config.sampling_rate} Hz, this audio tokenizer has "
            f"{tokenizer.sample_rate} Hz: give the tokenizer that the model was trained with"
        )


def _tokenizer_place(
    name: str | Path, folder: Path, config: SpeechConfig | None, asked: str | Path | None
) -> str | Path:
    if asked is not None:
        return asked
    if config is None:
        raise ValueError(
            f"{name} has no speech.json to say whose codes it speaks: name the audio tokenizer; "
            f'for the released model that is "{RELEASED_TOKENIZER}"'
        )
    beside = folder / config.tokenizer
    is_beside = config.tokenizer not in embedded_models() and beside.is_dir()
    return beside if is_beside else config.tokenizer
