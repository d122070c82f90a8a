"""The tokenizer as a model of transformers: `encode`, `decode`, `forward`."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_utils import PreTrainedAudioTokenizerBase
from transformers.utils.generic import can_return_tuple

from catok.hf.configuration import CatokConfig
from catok.hf.feature_extractor import CatokFeatureExtractor
from catok.hf.outputs import CatokDecoderOutput, CatokEncoderOutput, CatokOutput
from catok.io.files import replacing
from catok.io.hub import upload_folder
from catok.io.json import read_json
from catok.io.stored_weights import CONFIG
from catok.modules.streaming_state import StackState
from catok.tokenizer import checks
from catok.tokenizer.tokenizer import LONG_FRAMES, CausalAudioTokenizer, zero_after

HUB = ("revision", "token", "cache_dir", "local_files_only")


class CatokCache:
    """The state of a batch of streams, passed as `past_key_values` and moved on in place.

    Rows are independent: `reset` begins some of them anew, and a row whose mask is all 0 waits.
    """

    def __init__(self, state: StackState) -> None:
        self.state = state

    def reset(self, rows: Sequence[int] | Tensor | None = None) -> None:
        """Begin rows anew (None: all)."""
        self.state.reset(rows)


class CatokModel(PreTrainedAudioTokenizerBase):
    """A `CausalAudioTokenizer`, under `tokenizer`, with the interface of transformers.

    Folders are those of `CausalAudioTokenizer`: either class loads what the other saved.
    """

    config_class = CatokConfig
    main_input_name = "input_values"

    def __init__(self, config: CatokConfig, tokenizer: CausalAudioTokenizer | None = None) -> None:
        super().__init__(config)
        self.tokenizer = tokenizer or CausalAudioTokenizer(config.tokenizer_config)

    @classmethod
    def from_pretrained(  # pyright: ignore
        cls,
        pretrained_model_name_or_path: str | Path,
        *args: Any,
        config: CatokConfig | None = None,
        dtype: str | torch.dtype | None = None,
        **kwargs: Any,
    ) -> "CatokModel":
        """Load what `CausalAudioTokenizer.from_pretrained` loads; `dtype` as there.

        "auto" is float32. Raises ValueError as that does.
        """
        dtype = dtype or kwargs.pop("torch_dtype", None)
        kind = torch.float32 if dtype in (None, "auto") else dtype
        hub = {name: kwargs[name] for name in HUB if kwargs.get(name) is not None}
        tokenizer = CausalAudioTokenizer.from_pretrained(
            pretrained_model_name_or_path, dtype=kind, **hub
        )
        config = config or CatokConfig(tokenizer.config.to_dict())
        config.name_or_path = str(pretrained_model_name_or_path)
        return cls(config, tokenizer).eval()

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:  # pyright: ignore
        """Write config.json, weights and the feature extractor's configuration.

        `push_to_hub=True` with `repo_id` uploads the folder. Other options of transformers that
        would change the files are refused with ValueError.
        """
        push, repo_id = kwargs.pop("push_to_hub", False), kwargs.pop("repo_id", None)
        token, private = kwargs.pop("token", None), kwargs.pop("private", None)
        unknown = sorted(
            name for name, value in kwargs.items() if value not in (None, True, "5GB", "50GB")
        )
        if unknown:
            raise ValueError(f"save_pretrained of catok knows no {unknown}")
        folder = Path(save_directory)
        self.tokenizer.save_pretrained(folder)
        data = read_json(folder / CONFIG)
        data |= {"model_type": CatokConfig.model_type, "architectures": [type(self).__name__]}
        with replacing(folder / CONFIG) as temporary:
            Path(temporary).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        self.feature_extractor().save_pretrained(folder)
        if push:
            name = repo_id or folder.name
            upload_folder(folder, name, private=bool(private), token=token)

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> str:  # pyright: ignore
        """Upload a folder as `save_pretrained` writes it; returns its address."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            private, token = bool(kwargs.get("private")), kwargs.get("token")
            return upload_folder(folder, repo_id, private=private, token=token)

    def feature_extractor(self) -> CatokFeatureExtractor:
        """The feature extractor of this model."""
        config = self.tokenizer.config
        return CatokFeatureExtractor(
            feature_size=config.channels,
            sampling_rate=config.sample_rate,
            hop_length=config.frame_size,
        )

    def encoder_cache(self, batch_size: int = 1) -> CatokCache:
        """The state of streams to encode that have not begun."""
        return CatokCache(self.tokenizer.encoder_state(batch_size))

    def decoder_cache(self, batch_size: int = 1) -> CatokCache:
        """The state of streams to decode that have not begun."""
        return CatokCache(self.tokenizer.decoder_state(batch_size))

    @can_return_tuple
    @torch.no_grad()
    def encode(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        input_values: Tensor,
        padding_mask: Tensor | None = None,
        num_quantizers: int | None = None,
        chunk_duration: float | None = None,
        past_key_values: CatokCache | None = None,
        use_cache: bool | None = None,
    ) -> CatokEncoderOutput:
        """Audio `[B, C, T]` -> codes, the latents before quantization, and which frames are real.

        `padding_mask` `[B, T]`: 1 for samples, 0 for padding at the end; frames are counted by
        ceil. `past_key_values` (`encoder_cache`): the next whole frames of running streams; a row
        whose mask is all 0 waits. `chunk_duration` bounds the seconds worked on at once and changes
        nothing else. Raises ValueError on what does not fit.
        """
        tok = self.tokenizer
        input_values = checks.check_audio(input_values, tok.channels)
        batch, _, samples = input_values.shape
        lengths = _lengths(padding_mask, batch, samples)
        num_quantizers = checks.check_quantizers(num_quantizers, tok.num_quantizers)
        size, step = tok.frame_size, self._frames(chunk_duration)
        active = None
        if past_key_values is not None:
            if samples % size or bool(((lengths != samples) & (lengths != 0)).any()):
                raise ValueError(
                    f"streams take whole frames of {size} samples, and rows that are all there or "
                    "wait: pad the last frame of a stream yourself"
                )
            active = (lengths > 0).to(tok.device)
            state = past_key_values.state
        else:
            checks.check_lengths(lengths, batch, samples)
            state = tok.encoder_state(batch)
        frames = -(-samples // size)
        audio = zero_after(input_values, lengths)
        checks.check_samples(audio)
        audio = torch.nn.functional.pad(audio, (0, frames * size - samples)).to(tok.device)
        latents = []
        for chunk in audio.split(step * size, dim=2):
            part, state = tok.side("encoder").step(tok.interleave(chunk), state, active)
            latents.append(part.float())
        if past_key_values is not None:
            past_key_values.state = state
        whole = torch.cat(latents, dim=2)
        ends = -(-lengths // size)
        codes = zero_after(tok.quantizer.encode(whole, num_quantizers), ends)
        mask = torch.arange(frames, device=codes.device) < ends.to(codes.device)[:, None]
        return CatokEncoderOutput(codes, zero_after(whole, ends), mask)

    @can_return_tuple
    @torch.no_grad()
    def decode(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        audio_codes: Tensor,
        padding_mask: Tensor | None = None,
        chunk_duration: float | None = None,
        num_quantizers: int | None = None,
        past_key_values: CatokCache | None = None,
        use_cache: bool | None = None,
    ) -> CatokDecoderOutput:
        """Codes `[B, K, F]` -> audio and which samples are real.

        `padding_mask`: `[B, F]` for frames (`audio_codes_mask`), or `[B, T]` for samples, which
        also cuts the audio to its length. `past_key_values` (`decoder_cache`): the next frames of
        running streams; a row whose mask is all 0 waits. Raises ValueError on what does not fit.
        """
        tok = self.tokenizer
        checks.check_codes(audio_codes, tok.num_quantizers, tok.codebook_size)
        batch, given, frames = audio_codes.shape
        num_quantizers = checks.check_quantizers(num_quantizers, given)
        samples = frames * tok.frame_size
        per_frame = padding_mask is not None and padding_mask.shape[-1] == frames
        unit, width = (tok.frame_size, frames) if per_frame else (1, samples)
        total = samples
        if padding_mask is not None and not per_frame:
            width = total = padding_mask.shape[-1]
        lengths = _lengths(padding_mask, batch, width) * unit
        if not 0 < total <= samples:
            raise ValueError(f"a mask of {total} samples does not fit codes of {samples}")
        active = None
        if past_key_values is not None:
            active = (lengths > 0).to(tok.device)
            state = past_key_values.state
        else:
            state = tok.decoder_state(batch)
        audio = []
        codes = audio_codes[:, :num_quantizers].to(tok.device)
        for chunk in codes.split(self._frames(chunk_duration), dim=2):
            latents = tok.quantizer.decode(chunk)
            decoded, state = tok.side("decoder").step(latents, state, active)
            audio.append(tok.separate(decoded.float()))
        if past_key_values is not None:
            past_key_values.state = state
        whole = zero_after(torch.cat(audio, dim=2), lengths)[..., :total]
        mask = torch.arange(total, device=whole.device) < lengths.to(whole.device)[:, None]
        return CatokDecoderOutput(whole, mask)

    @can_return_tuple
    def forward(
        self,
        input_values: Tensor | None = None,
        padding_mask: Tensor | None = None,
        audio_codes: Tensor | None = None,
        num_quantizers: int | None = None,
    ) -> CatokOutput:
        """Encode, then decode; with `audio_codes` only decode: then `padding_mask` is theirs."""
        if (input_values is None) == (audio_codes is None):
            raise ValueError("give input_values or audio_codes, one of them")
        if audio_codes is not None:
            decoded = self.decode(audio_codes, padding_mask, num_quantizers=num_quantizers)
            return CatokOutput(decoded.audio_values, audio_codes)
        assert input_values is not None
        encoded = self.encode(input_values, padding_mask, num_quantizers)
        assert encoded.audio_codes is not None
        decoded = self.decode(encoded.audio_codes, encoded.audio_codes_mask)
        assert decoded.audio_values is not None
        audio = decoded.audio_values[..., : input_values.shape[2]]
        if padding_mask is not None:
            lengths = _lengths(padding_mask, audio.shape[0], audio.shape[2])
            audio = zero_after(audio, lengths)
        return CatokOutput(audio, encoded.audio_codes, encoded.latents, encoded.audio_codes_mask)

    def _frames(self, chunk_duration: float | None) -> int:
        """Frames worked on at once."""
        if chunk_duration is None:
            return LONG_FRAMES
        frames = chunk_duration * self.tokenizer.frame_rate
        if not frames >= 1 or abs(frames - round(frames)) > 1e-6:
            raise ValueError(
                f"chunk_duration must be whole frames of {1 / self.tokenizer.frame_rate:g} s, "
                f"got {chunk_duration}"
            )
        return round(frames)

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Modules of catok have their weights from the start."""


def _lengths(mask: Tensor | None, batch: int, width: int) -> Tensor:
    """The lengths `[B]` of a mask `[B, T]` (or `[B, 1, T]`) whose zeros are at the end."""
    if mask is None:
        return torch.full((batch,), width, dtype=torch.int64, device="cpu")
    mask = torch.as_tensor(mask).cpu().bool()
    mask = mask[:, 0] if mask.dim() == 3 else mask
    if mask.shape != (batch, width):
        raise ValueError(f"padding_mask must be [{batch}, {width}], got {list(mask.shape)}")
    lengths = mask.sum(dim=1)
    if not bool((mask == (torch.arange(width) < lengths[:, None])).all()):
        raise ValueError("padding_mask must have its zeros at the end: pad on the right")
    return lengths
