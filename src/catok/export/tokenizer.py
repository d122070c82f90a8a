"""A tokenizer on onnxruntime, with the methods, checks and results of `CausalAudioTokenizer`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from catok.codes import Encoded
from catok.export.runtime import STEP_FRAMES, OnnxRuntime
from catok.export.state import OnnxState
from catok.tokenizer import checks
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.interface import AudioTokenizer
from catok.tokenizer.model import Part
from catok.tokenizer.tokenizer import zero_after


class OnnxTokenizer(AudioTokenizer):
    """The graphs that `catok export` wrote, as a tokenizer on the CPU.

    `CausalAudioTokenizer.from_pretrained(folder, backend="onnx", threads=2)` makes one. Tensors
    and NumPy arrays are taken, tensors given; what is between them is NumPy and onnxruntime.
    A graph is loaded when it is first needed. `part` forbids the methods of the other half.
    Raises ValueError where the folder is none, or is damaged.
    """

    def __init__(
        self, folder: str | Path, *, part: Part = "all", threads: int | None = None
    ) -> None:
        self.runtime = OnnxRuntime(folder, threads=threads)
        description = self.runtime.description
        self.config = TokenizerConfig.from_dict(description.tokenizer)
        self.part = part
        self.model_id = description.model_id

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    @property
    def weight_hash(self) -> str:
        """That of the model that was exported: its quantizer is unchanged."""
        return self.runtime.description.weight_hash

    def encode(
        self, audio: Tensor, lengths: Tensor | None = None, num_quantizers: int | None = None
    ) -> Encoded:
        """See `CausalAudioTokenizer.encode`."""
        runtime = self._runtime_of("encoder")
        audio = checks.check_audio(audio, self.channels)
        lengths = checks.check_lengths(lengths, audio.shape[0], audio.shape[2])
        num_quantizers = checks.check_quantizers(num_quantizers, self.num_quantizers)
        audio = zero_after(_on_cpu(audio), lengths)
        checks.check_samples(audio)
        codes = torch.from_numpy(runtime.encode(audio.numpy(), lengths.numpy()))
        return self.encoded(codes[:, :num_quantizers], lengths)

    def decode(self, codes: Encoded | Tensor, num_quantizers: int | None = None) -> Tensor:
        """See `CausalAudioTokenizer.decode`."""
        runtime = self._runtime_of("decoder")
        lengths = None
        if isinstance(codes, Encoded):
            self.check_code_space(codes)
            codes, lengths = codes.codes, codes.sample_lengths
        codes = checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        num_quantizers = checks.check_quantizers(num_quantizers, codes.shape[1])
        samples = codes.shape[2] * self.frame_size
        lengths = checks.check_lengths(lengths, codes.shape[0], samples)
        return torch.from_numpy(runtime.decode(_array(codes[:, :num_quantizers]), lengths.numpy()))

    def embed(self, codes: Tensor) -> Tensor:
        """See `CodecModel.embed`."""
        codes = checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        return torch.from_numpy(self._runtime_of("decoder").embed(_array(codes)))

    def encoder_state(self, batch_size: int = 1) -> OnnxState:
        """The state of `batch_size` streams to encode that have not begun."""
        return self._runtime_of("encoder").encoder_state(checks.check_batch_size(batch_size))

    def decoder_state(self, batch_size: int = 1) -> OnnxState:
        """The state of `batch_size` streams to decode that have not begun."""
        return self._runtime_of("decoder").decoder_state(checks.check_batch_size(batch_size))

    def encode_step(
        self,
        chunk: Tensor,
        state: OnnxState,
        active: Tensor | None = None,
        num_quantizers: int | None = None,
    ) -> tuple[Tensor, OnnxState]:
        """See `CodecModel.encode_step`; the old state stays valid."""
        chunk = checks.check_audio(chunk, self.channels)
        _check_batch_of(state, chunk.shape[0])
        active = checks.check_active(active, chunk.shape[0], self.device)
        if active is not None:
            chunk = chunk.masked_fill(~active[:, None, None].to(chunk.device), 0)
        checks.check_samples(chunk)
        num_quantizers = checks.check_quantizers(num_quantizers, self.num_quantizers)
        if chunk.shape[2] % self.frame_size:
            raise ValueError(
                f"a chunk must be whole frames of {self.frame_size} samples, got {chunk.shape[2]}: "
                "use stream_encoder() for chunks of any size"
            )
        return self._encode(chunk, state, num_quantizers, active, in_place=False)

    def decode_step(
        self, codes: Tensor, state: OnnxState, active: Tensor | None = None
    ) -> tuple[Tensor, OnnxState]:
        """See `CodecModel.decode_step`; the old state stays valid."""
        codes = checks.check_codes_layout(codes, self.num_quantizers)
        _check_batch_of(state, codes.shape[0])
        active = checks.check_active(active, codes.shape[0], self.device)
        if active is not None:
            codes = codes.masked_fill(~active[:, None, None].to(codes.device), 0)
        codes = checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        return self._decode(codes, state, active, in_place=False)

    def encode_frames(
        self, chunk: Tensor, state: OnnxState, num_quantizers: int
    ) -> tuple[Tensor, OnnxState]:
        """`encode_step` of input that has been checked; the old state is overwritten."""
        return self._encode(chunk, state, num_quantizers, None, in_place=True)

    def decode_frames(self, codes: Tensor, state: OnnxState) -> tuple[Tensor, OnnxState]:
        """`decode_step` of codes that have been checked; the old state is overwritten."""
        return self._decode(codes, state, None, in_place=True)

    def _encode(
        self,
        chunk: Tensor,
        state: OnnxState,
        num_quantizers: int,
        active: Tensor | None,
        *,
        in_place: bool,
    ) -> tuple[Tensor, OnnxState]:
        runtime, codes = self._runtime_of("encoder"), []
        mask = None if active is None else active.numpy()
        for piece in _on_cpu(chunk).split(STEP_FRAMES * self.frame_size, dim=2):
            part, state = runtime.encode_step(_array(piece), state, mask, in_place=in_place)
            in_place = True  # what the first step gave is nobody else's
            codes.append(part[:, :num_quantizers])
        return torch.from_numpy(_joined(codes)), state

    def _decode(
        self, codes: Tensor, state: OnnxState, active: Tensor | None, *, in_place: bool
    ) -> tuple[Tensor, OnnxState]:
        runtime, sound = self._runtime_of("decoder"), []
        mask = None if active is None else active.numpy()
        for piece in _on_cpu(codes).split(STEP_FRAMES, dim=2):
            part, state = runtime.decode_step(_array(piece), state, mask, in_place=in_place)
            in_place = True
            sound.append(part)
        return torch.from_numpy(_joined(sound)), state

    def _runtime_of(self, half: str) -> OnnxRuntime:
        if self.part not in ("all", half):
            raise ValueError(
                f'only the {self.part} of this model was loaded: load it with part="all" or '
                f'part="{half}"'
            )
        return self.runtime

    def __repr__(self) -> str:
        description = self.runtime.description
        return (
            f"OnnxTokenizer({str(self.runtime.folder)!r}, model_id={self.model_id!r}, "
            f"dtype={description.dtype!r}, graphs={sorted(description.graphs)})"
        )


def _check_batch_of(state: OnnxState, batch: int) -> None:
    if state.batch_size != batch:
        raise ValueError(f"the state has {state.batch_size} rows, the chunk {batch}")


def _on_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu()


def _array(tensor: Tensor) -> Any:
    return _on_cpu(tensor).contiguous().numpy()


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
