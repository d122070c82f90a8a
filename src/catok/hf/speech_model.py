"""A speech synthesis model as a model of transformers: `generate`."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from catok.hf.model import HUB, CatokModel
from catok.hf.processor import CatokTTSProcessor
from catok.hf.speech_configuration import CatokSpeechConfig
from catok.io.files import replacing
from catok.io.json import read_json
from catok.io.stored_weights import CONFIG
from catok.lm.continuous import GenerationRequest, generate_continuously
from catok.lm.generation import MAX_FRAMES
from catok.lm.model import TokenLM
from catok.lm.sampling import SamplingConfig
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import SpeechModel, load_speech_model
from catok.lm.text import ByteTokenizer, ModelTokenizer
from catok.tokenizer.tokenizer import CausalAudioTokenizer


@dataclass
class CatokTTSOutput(ModelOutput):
    """`sequences` `[B, K, F]` int64: codes, the codebook's size after a row's end."""

    sequences: Tensor | None = None


class CatokForTextToSpeech(PreTrainedModel):
    """A speech synthesis model of ours, its parts under `speech`, with `generate` as pipelines
    call it. Streaming, long texts and continuous batches are `catok.lm.Synthesizer`'s.
    """

    config_class = CatokSpeechConfig
    main_input_name = "input_ids"

    def __init__(self, config: CatokSpeechConfig, speech: SpeechModel) -> None:
        super().__init__(config)
        self.token_lm = speech.model
        self.speech = speech
        self.generation_config = GenerationConfig()

    @classmethod
    def can_generate(cls) -> bool:
        """Yes."""
        return True

    @classmethod
    def from_pretrained(  # pyright: ignore
        cls,
        pretrained_model_name_or_path: str | Path,
        *args: Any,
        config: CatokSpeechConfig | None = None,
        dtype: str | torch.dtype | None = None,
        **kwargs: Any,
    ) -> "CatokForTextToSpeech":
        """Load what `catok.lm.Synthesizer.from_pretrained` loads; `dtype` as there.

        "auto" is float32. Raises ValueError as that does.
        """
        dtype = dtype or kwargs.pop("torch_dtype", None)
        kind = torch.float32 if dtype in (None, "auto") else dtype
        hub = {name: kwargs[name] for name in HUB if kwargs.get(name) is not None}
        name = pretrained_model_name_or_path
        speech = load_speech_model(name, task="tts", dtype=kind, **hub)
        config = config or CatokSpeechConfig(speech.model.config.to_dict())
        config.name_or_path = str(name)
        return cls(config, speech).eval()

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:  # pyright: ignore
        """Write the model, its text tokenizer, its audio tokenizer and speech.json.

        Options of transformers that would change the files are refused with ValueError.
        """
        unknown = sorted(name for name, value in kwargs.items() if value not in (None, True))
        if unknown:
            raise ValueError(f"save_pretrained of catok knows no {unknown}")
        folder, speech = Path(save_directory), self.speech
        assert isinstance(speech.model, TokenLM)  # of no other backend
        assert isinstance(speech.tokenizer, CausalAudioTokenizer)
        speech.model.save_pretrained(folder)
        data = read_json(folder / CONFIG)
        data |= {
            "model_type": CatokSpeechConfig.model_type,
            "architectures": [type(self).__name__],
            "sampling_rate": self.config.sampling_rate,
        }
        with replacing(folder / CONFIG) as temporary:
            Path(temporary).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        speech.tokenizer.save_pretrained(folder / "audio_tokenizer")
        if isinstance(speech.text, ModelTokenizer):
            speech.text.save(folder)
        text = "bytes" if isinstance(speech.text, ByteTokenizer) else "files"
        config = speech.config or SpeechConfig("audio_tokenizer", text=text)
        weight_hash = speech.tokenizer.weight_hash
        replace(config, tokenizer="audio_tokenizer", weight_hash=weight_hash).save(folder)

    def processor(self) -> CatokTTSProcessor:
        """The processor of this model, which shares its audio tokenizer."""
        return CatokTTSProcessor.of(self.speech)

    @torch.no_grad()
    def generate(  # pyright: ignore
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        negative_prompt_ids: Tensor | None = None,
        negative_prompt_attention_mask: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        *,
        max_new_tokens: int | None = None,
        do_sample: bool | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float | None = None,
        guidance_scale: float | None = None,
        num_quantizers: int | None = None,
        seed: int | None = None,
        return_dict_in_generate: bool | None = None,
        **unknown: Any,
    ) -> Tensor | CatokTTSOutput:
        """Prompts `[B, T, 1 + n_vq]` of the processor -> codes `[B, K, F]`.

        `max_new_tokens` are frames. What is not given is the model's own; `do_sample=False` takes
        the likeliest codes. `generation_config` stands for arguments that are not given. Raises
        ValueError on other arguments.
        """
        if any(value is not None for value in unknown.values()):
            raise ValueError(f"generate of catok knows no {sorted(unknown)}")
        given = {} if generation_config is None else generation_config.to_diff_dict()

        def chosen(name: str, value: Any) -> Any:
            return given.get(name) if value is None else value

        sampling = self.speech.config.sampling if self.speech.config else SamplingConfig()
        wanted = {
            "audio_temperature": chosen("temperature", temperature),
            "audio_top_k": chosen("top_k", top_k),
            "audio_top_p": chosen("top_p", top_p),
            "audio_repetition_penalty": chosen("repetition_penalty", repetition_penalty),
            "guidance": chosen("guidance_scale", guidance_scale),
        }
        if chosen("do_sample", do_sample) is False:
            wanted |= {"text_temperature": 0.0, "audio_temperature": 0.0}
        sampling = replace(sampling, **{k: v for k, v in wanted.items() if v is not None})
        default = self.speech.config and self.speech.config.num_quantizers
        prompts = _rows(input_ids, attention_mask)
        without_text: list[Tensor | None] = [None] * len(prompts)
        if negative_prompt_ids is not None:
            without_text = [*_rows(negative_prompt_ids, negative_prompt_attention_mask)]
        limit = chosen("max_new_tokens", max_new_tokens) or MAX_FRAMES
        requests = [
            GenerationRequest(
                prompt,
                num_quantizers or default,
                sampling,
                limit,
                None if seed is None else seed + row,
                negative,
            )
            for row, (prompt, negative) in enumerate(zip(prompts, without_text, strict=True))
        ]
        generated = [each.codes for each in generate_continuously(self.token_lm, requests)]
        longest = max(codes.shape[1] for codes in generated)
        pad = self.token_lm.config.audio_pad_code
        sequences = torch.full(
            (len(generated), len(generated[0]), longest), pad, device=self.device
        )
        for row, codes in enumerate(generated):
            sequences[row, :, : codes.shape[1]] = codes.to(self.device)
        return CatokTTSOutput(sequences) if return_dict_in_generate else sequences

    def audio_tokenizer(self) -> CatokModel:
        """The audio tokenizer, as a model of transformers."""
        return self.processor().audio_tokenizer

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Modules of catok have their weights from the start."""


def _rows(prompts: Tensor, mask: Tensor | None) -> list[Tensor]:
    """`[B, T, 1 + n_vq]` as rows without padding."""
    mask = prompts.new_ones(prompts.shape[:2]) if mask is None else mask
    return [row[real.bool()] for row, real in zip(prompts.cpu(), mask.cpu(), strict=True)]
