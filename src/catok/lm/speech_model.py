"""A speech model with all that belongs to it: language model, text tokenizer, audio tokenizer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch

from catok.io.devices import as_device
from catok.io.hub import HubOptions, embedded_models, find_folder, model_name
from catok.io.kinds import ONNX_SPEECH, SPEECH, check_kind, folder_kind
from catok.io.weights import float_dtype
from catok.lm.asr.ctc import BaseCTCHead, CTCHead
from catok.lm.backends import load_language_model
from catok.lm.config import TokenLMConfig
from catok.lm.interface import BaseTokenLM
from catok.lm.model import TokenLM
from catok.lm.speech_config import SpeechConfig, Task
from catok.lm.text import ByteTokenizer, TextTokenizer, read_text_tokenizer
from catok.tokenizer.interface import AudioTokenizer
from catok.tokenizer.tokenizer import CausalAudioTokenizer

RELEASED_TOKENIZER = "OpenMOSS-Team/MOSS-Audio-Tokenizer"


@dataclass(frozen=True)
class SpeechModel:
    """The parts of a speech model. `name`: what it is called, "" if nothing.

    `config` is None for a folder without `speech.json`, `ctc_head` where there is none. Raises
    ValueError when the parts do not belong together.
    """

    model: BaseTokenLM
    text: TextTokenizer
    tokenizer: AudioTokenizer
    config: SpeechConfig | None = None
    name: str = ""
    ctc_head: BaseCTCHead | None = None

    def __post_init__(self) -> None:
        check_tokenizer(self.tokenizer, self.model.config, self.config)


def load_speech_model(
    name_or_path: str | Path,
    *,
    task: Task,
    tokenizer: AudioTokenizer | str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = torch.float32,
    backend: str = "torch",
    threads: int | None = None,
    **hub: Unpack[HubOptions],
) -> SpeechModel:
    """Load an embedded name, a local folder (ours or a released one) or a hub id.

    For a hub id see `HubOptions`; the audio tokenizer's is fetched with the same options, but for
    `revision`, which is the language model's.

    `tokenizer`: instead of the one that `speech.json` names; a released folder has no such file
    and needs it. `dtype` is that of the language model; an audio tokenizer is loaded in float32.
    `backend` "onnx" runs what `catok export` wrote into a folder, tokenizer included, on the CPU
    with `threads`. Raises ValueError when anything is missing or damaged, the model was not trained
    for `task`, or the audio tokenizer is not the one whose codes the model speaks.
    """
    dtype, device = float_dtype(dtype), as_device(device)
    exported = backend != "torch"
    folder = find_folder(name_or_path, companions=exported, graphs=exported, **hub)
    config = SpeechConfig.load(folder)
    if config is not None and task not in config.tasks:
        raise ValueError(
            f"{name_or_path} was trained for {', '.join(config.tasks)}, not for {task}: give it to "
            f"{(folder_kind(folder) or SPEECH).use}"
        )
    head: BaseCTCHead | None
    if backend == "torch":
        if threads is not None:
            raise ValueError('threads is for backend="onnx": call torch.set_num_threads instead')
        model: BaseTokenLM = TokenLM.from_pretrained(folder, device=device, dtype=dtype)
        torch_head = CTCHead.load(folder)
        head = None if torch_head is None else torch_head.to(model.device)
    else:
        if device.type != "cpu" or dtype != torch.float32:
            raise ValueError(
                f"backend {backend!r} computes on the CPU, with weights of the dtype that they "
                "were exported in: leave device and dtype out"
            )
        check_kind(folder, ONNX_SPEECH)
        model, head = load_language_model(backend, folder, threads)
    if config is not None and config.text == "bytes":
        text: TextTokenizer = ByteTokenizer(model.config)
    else:
        text = read_text_tokenizer(folder, model.config)
    if not isinstance(tokenizer, AudioTokenizer):
        where = _tokenizer_place(name_or_path, folder, config, tokenizer)
        same = HubOptions(**{**hub, "revision": None})
        if backend == "torch":
            tokenizer = CausalAudioTokenizer.from_pretrained(where, device=device, **same)
        else:
            tokenizer = CausalAudioTokenizer.from_pretrained(
                where, backend=backend, threads=threads, **same
            )
    head = head if task == "asr" else None
    return SpeechModel(model, text, tokenizer, config, model_name(name_or_path), head)


def check_tokenizer(
    tokenizer: AudioTokenizer, config: TokenLMConfig, speech: SpeechConfig | None
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
