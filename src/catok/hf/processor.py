"""From texts and reference recordings to prompts, and from codes to sound."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import BatchFeature
from transformers.processing_utils import ProcessorMixin

from catok.audio import save_audio
from catok.hf.configuration import CatokConfig
from catok.hf.feature_extractor import CatokFeatureExtractor
from catok.hf.model import HUB, CatokModel
from catok.lm.prompt import PromptBuilder
from catok.lm.speech_model import SpeechModel, load_speech_model
from catok.lm.text import TextTokenizer
from catok.lm.tokens import pad_tokens
from catok.lm.tts.prompt import PromptTokens, build_prompt
from catok.lm.tts.reference import reference_codes
from catok.lm.tts.request import SpeechRequest
from catok.tokenizer.tokenizer import CausalAudioTokenizer

Recording = np.ndarray | Tensor


class CatokTTSProcessor(ProcessorMixin):
    """`feature_extractor`, `tokenizer` (of text) and `audio_tokenizer` of a speech model.

    A call makes prompts of texts; `decode` makes sound of the codes that `generate` gives.
    """

    audio_tokenizer_class = "CatokModel"

    def __init__(
        self,
        feature_extractor: CatokFeatureExtractor,
        tokenizer: TextTokenizer,
        audio_tokenizer: CatokModel,
        prompt_builder: PromptBuilder,
    ) -> None:
        self.feature_extractor, self.tokenizer = feature_extractor, tokenizer
        self.audio_tokenizer = audio_tokenizer
        self.chat_template = None
        self._prompts = prompt_builder

    @classmethod
    def of(cls, speech: SpeechModel) -> "CatokTTSProcessor":
        """That of a loaded model, whose parts it shares."""
        assert isinstance(speech.tokenizer, CausalAudioTokenizer)  # of no other backend
        audio = CatokModel(CatokConfig(speech.tokenizer.config.to_dict()), speech.tokenizer)
        builder = PromptBuilder(speech.model.config, speech.text)
        return cls(audio.feature_extractor(), speech.text, audio, builder)

    @classmethod
    def from_pretrained(  # pyright: ignore
        cls, pretrained_model_name_or_path: str | Path, **kwargs: Any
    ) -> "CatokTTSProcessor":
        """Load what `CatokForTextToSpeech.from_pretrained` loads; `model.processor()` is cheaper.

        Raises ValueError as that does.
        """
        hub = {name: kwargs[name] for name in HUB if kwargs.get(name) is not None}
        return cls.of(load_speech_model(pretrained_model_name_or_path, task="tts", **hub))

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> list[str]:  # pyright: ignore
        """Nothing: the model's folder holds all of it."""
        return []

    def __call__(  # pyright: ignore
        self,
        text: str | Sequence[str],
        audio: Recording | Sequence[Recording | None] | None = None,
        sampling_rate: int | None = None,
        return_tensors: str | None = "pt",
        **unknown: Any,
    ) -> BatchFeature:
        """Prompts to speak texts: `input_ids` `[B, T, 1 + n_vq]`, padded on the left, and
        `attention_mask` `[B, T]`; the same without the texts as `negative_prompt_ids` and
        `negative_prompt_attention_mask`, which guidance needs.

        `audio`: a recording of the voice for each text, `[T]` or `[C, T]` float32 in [-1, 1] at
        `sampling_rate` (by default the model's). Raises ValueError on what does not fit.
        """
        if unknown:
            raise ValueError(f"the processor of catok knows no {sorted(unknown)}")
        texts = [text] if isinstance(text, str) else list(text)
        many = isinstance(audio, Sequence)
        voices = list(audio) if many else [audio] * len(texts)  # type: ignore[arg-type]
        if len(voices) != len(texts):
            raise ValueError(f"there are {len(texts)} texts and {len(voices)} recordings")
        rate = sampling_rate or self.feature_extractor.sampling_rate
        pairs = zip(texts, voices, strict=True)
        prompts = [self._prompt(each, voice, rate) for each, voice in pairs]
        config = self._prompts.config
        tokens, mask = pad_tokens([each.conditional for each in prompts], config)
        negative, negative_mask = pad_tokens([each.unconditional for each in prompts], config)
        data = {
            "input_ids": tokens,
            "attention_mask": mask.long(),
            "negative_prompt_ids": negative,
            "negative_prompt_attention_mask": negative_mask.long(),
        }
        return BatchFeature(data)

    def apply_chat_template(  # pyright: ignore
        self,
        conversation: Sequence[dict[str, Any]] | Sequence[Sequence[dict[str, Any]]],
        chat_template: str | None = None,
        tokenize: bool = True,
        return_dict: bool = True,
        **kwargs: Any,
    ) -> BatchFeature:
        """Conversations of one user's message each: what is to be said, and maybe a recording of
        the voice: `[{"role": "user", "content": [{"type": "text", "text": ...}, {"type": "audio",
        "audio": array}]}]`, or a text as content. Raises ValueError on anything else.
        """
        if chat_template is not None or not tokenize or not return_dict:
            raise ValueError("the layout of prompts is fixed: only tokenized ones are given")
        single = bool(conversation) and isinstance(conversation[0], dict)
        conversations: Any = [conversation] if single else conversation
        texts, voices = zip(*map(_read_conversation, conversations), strict=True)
        given = list(voices) if any(voice is not None for voice in voices) else None
        return self(list(texts), given, kwargs.get("sampling_rate"))

    def decode(self, sequences: Tensor, **unknown: Any) -> list[Tensor]:  # pyright: ignore
        """Codes `[B, K, F]` of `generate`, or `[K, F]` -> audio `[C, T]` float32 of each row."""
        sequences = sequences[None] if sequences.dim() == 2 else sequences
        size, recordings = self.audio_tokenizer.config.hop_length, []
        for codes in sequences.cpu():
            frames = int((codes < self._prompts.config.audio_vocab_size).all(0).sum())
            if not frames:
                recordings.append(torch.zeros(self.feature_extractor.feature_size, 0))
                continue
            audio = self.audio_tokenizer.decode(codes[None, :, :frames]).audio_values
            assert audio is not None
            recordings.append(audio[0, :, : frames * size].cpu())
        return recordings

    batch_decode = decode

    def save_audio(
        self, audio: Tensor | Sequence[Tensor], saving_path: str | Path | Sequence[str | Path]
    ) -> None:
        """Write sound of `decode` to audio files, one path for each."""
        sounds = [audio] if isinstance(audio, Tensor) else list(audio)
        paths = [saving_path] if isinstance(saving_path, str | Path) else list(saving_path)
        if len(sounds) != len(paths):
            raise ValueError(f"there are {len(sounds)} sounds and {len(paths)} paths")
        for sound, path in zip(sounds, paths, strict=True):
            save_audio(path, sound, self.feature_extractor.sampling_rate)

    def _prompt(self, text: str, voice: Recording | None, rate: int) -> PromptTokens:
        if voice is None:
            return build_prompt(self._prompts, SpeechRequest(text))
        audio = torch.as_tensor(voice, dtype=torch.float32)
        audio = audio[None] if audio.dim() == 1 else audio
        config = self._prompts.config
        request = SpeechRequest(text, reference=(audio, rate))
        codes = reference_codes((audio, rate), self.audio_tokenizer.tokenizer, config, config.n_vq)
        return build_prompt(self._prompts, request, [codes])


def _read_conversation(messages: Sequence[dict[str, Any]]) -> tuple[str, Recording | None]:
    if len(messages) != 1 or messages[0].get("role") != "user":
        raise ValueError("a conversation is one message of the user: what is to be said")
    content = messages[0].get("content")
    if isinstance(content, str):
        return content, None
    parts = list(content or [])
    texts = [part["text"] for part in parts if part.get("type") == "text"]
    voices = [part.get("audio") for part in parts if part.get("type") == "audio"]
    if len(texts) + len(voices) != len(parts) or not texts or len(voices) > 1:
        raise ValueError("a message holds parts of type text, and at most one of type audio")
    return "".join(texts), voices[0] if voices else None
