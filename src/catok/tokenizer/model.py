"""CausalAudioTokenizer: waveform -> residual codes -> waveform, whole or step by step."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from catok.codes import Encoded
from catok.modules.quantizer import Quantized, ResidualQuantizer
from catok.modules.stack import CausalStack
from catok.modules.state import StackState
from catok.tokenizer import checks
from catok.tokenizer.config import TokenizerConfig

Part = Literal["all", "encoder", "decoder"]
LONG_FRAMES = 256  # audio longer than this many frames is worked off in chunks of as many


@dataclass(frozen=True)
class Reconstruction:
    """A training-time pass: `audio` `[B, C, F * frame_size]` and what the quantizer did."""

    audio: Tensor
    quantized: Quantized


class CausalAudioTokenizer(nn.Module):
    """A causal Transformer encoder, a residual quantizer and a mirrored decoder (paper section 1).

    `part` "encoder" or "decoder" builds that half only, with the quantizer, which both need.
    `model_id` goes into what `encode` returns, as provenance.
    """

    def __init__(
        self, config: TokenizerConfig, *, part: Part = "all", model_id: str = ""
    ) -> None:
        super().__init__()
        if part not in ("all", "encoder", "decoder"):
            raise ValueError(f'part must be "all", "encoder" or "decoder", got {part!r}')
        self.config = config
        self.part = part
        self.model_id = model_id
        if part != "decoder":
            self.encoder = CausalStack(
                config.encoder,
                input_rate=config.sample_rate * config.channels,
                unfold=False,
                always_project=config.always_project,
            )
        self.quantizer = ResidualQuantizer(config.quantizer)
        if part != "encoder":
            self.decoder = CausalStack(
                config.decoder,
                input_rate=config.frame_rate,
                unfold=True,
                always_project=config.always_project,
            )

    @property
    def sample_rate(self) -> int:
        """Samples per second per channel."""
        return self.config.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels in and out."""
        return self.config.channels

    @property
    def frame_rate(self) -> float:
        """Code frames per second."""
        return self.config.frame_rate

    @property
    def frame_size(self) -> int:
        """Samples per channel per frame."""
        return self.config.frame_size

    @property
    def num_quantizers(self) -> int:
        """Codebooks K."""
        return self.config.quantizer.num_quantizers

    @property
    def codebook_size(self) -> int:
        """Codes per codebook."""
        return self.config.quantizer.codebook_size

    @property
    def device(self) -> torch.device:
        """Where the weights are; inputs are moved there."""
        return self.quantizer.quantizers[0].codebook.weight.device

    @property
    def weight_hash(self) -> str:
        """16 hex digits that name the code space: SHA-256 over the quantizer's tensors.

        Models that share it understand each other's codes, for example after the decoder alone
        was fine-tuned.
        """
        digest = hashlib.sha256()
        for name, tensor in sorted(self.quantizer.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def forward(
        self,
        audio: Tensor,
        num_quantizers: int | Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Reconstruction:
        """Encode, quantize and decode with gradients; T must be whole frames.

        `audio` `[B, C, F * frame_size]`; `num_quantizers` and `mask` as in `ResidualQuantizer`.
        """
        latents = self._side("encoder")(self._interleave(audio)).float()
        quantized = self.quantizer(latents, num_quantizers, mask)
        decoded = self._side("decoder")(quantized.latents)
        return Reconstruction(self._separate(decoded.float()), quantized)

    @torch.no_grad()
    def encode(
        self,
        audio: Tensor,
        lengths: Tensor | None = None,
        num_quantizers: int | None = None,
    ) -> Encoded:
        """Audio `[B, C, T]` float32 of any length -> `Encoded`; codes past a row's end are 0.

        `lengths` `[B]`: true lengths in samples, where rows are padded. No sample is lost: a last
        partial frame is completed with zeros. Memory beyond input and output does not grow with T.
        Raises ValueError on empty, non-finite, wrongly shaped or wrongly typed input.
        """
        self._side("encoder")
        checks.check_audio(audio, self.channels)
        lengths = checks.check_lengths(lengths, audio.shape[0], audio.shape[2])
        depth = checks.check_quantizers(num_quantizers, self.num_quantizers)
        frames = -(-int(lengths.max()) // self.frame_size)
        state = self.encoder_state(audio.shape[0]) if frames > LONG_FRAMES else None
        chunks = []
        for start in range(0, frames, LONG_FRAMES):
            stop = min(start + LONG_FRAMES, frames)
            chunk = self._waveform_chunk(audio, lengths, start, stop)
            if state is None:
                latents = self.encoder(self._interleave(chunk))
            else:
                latents, state = self.encoder.step(self._interleave(chunk), state)
            chunks.append(self.quantizer.encode(latents, depth))
        frame_lengths = -(-lengths // self.frame_size)
        codes = _zero_after(torch.cat(chunks, dim=2), frame_lengths)
        return Encoded(
            codes=codes,
            sample_lengths=lengths.to(codes.device),
            sample_rate=self.sample_rate,
            channels=self.channels,
            frame_size=self.frame_size,
            codebook_size=self.codebook_size,
            model_id=self.model_id,
            weight_hash=self.weight_hash,
        )

    @torch.no_grad()
    def decode(self, codes: Encoded | Tensor, num_quantizers: int | None = None) -> Tensor:
        """Codes -> audio float32; of the codebooks only the first `num_quantizers` are used.

        An `Encoded` gives `[B, C, max(sample_lengths)]`, zero after each row's end; a bare
        `[B, K, F]` int64 tensor gives `[B, C, F * frame_size]`. Raises ValueError on codes of
        another model, out of range or in another layout.
        """
        self._side("decoder")
        lengths = None
        if isinstance(codes, Encoded):
            self._check_same_code_space(codes)
            codes, lengths = codes.codes, codes.sample_lengths
        checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        depth = checks.check_quantizers(num_quantizers, codes.shape[1])
        frames = codes.shape[2]
        state = self.decoder_state(codes.shape[0]) if frames > LONG_FRAMES else None
        chunks = []
        for chunk in codes[:, :depth].split(LONG_FRAMES, dim=2):
            latents = self.quantizer.decode(chunk.to(self.device))
            if state is None:
                decoded = self.decoder(latents)
            else:
                decoded, state = self.decoder.step(latents, state)
            chunks.append(self._separate(decoded.float()))
        audio = torch.cat(chunks, dim=2)
        return audio if lengths is None else _zero_after(audio, lengths)[..., : int(lengths.max())]

    @torch.no_grad()
    def embed(self, codes: Tensor) -> Tensor:
        """Codes `[B, K, F]` -> the quantized latents `[B, D, F]` float32 that the decoder hears."""
        checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        return self.quantizer.decode(codes.to(self.device))

    def encoder_state(self, batch_size: int = 1) -> StackState:
        """The state of `batch_size` streams to encode that have not begun."""
        return self._side("encoder").initial_state(_check_batch(batch_size))

    def decoder_state(self, batch_size: int = 1) -> StackState:
        """The state of `batch_size` streams to decode that have not begun."""
        return self._side("decoder").initial_state(_check_batch(batch_size))

    @torch.no_grad()
    def encode_step(
        self,
        chunk: Tensor,
        state: StackState,
        active: Tensor | None = None,
        num_quantizers: int | None = None,
    ) -> tuple[Tensor, StackState]:
        """The next n frames of every row: `[B, C, n * frame_size]` -> codes `[B, K, n]`, new state.

        Rows not `active` (bool `[B]`) keep their place and give code 0. Raises ValueError as
        `encode` does, and on a chunk of no whole frames.
        """
        checks.check_audio(chunk, self.channels)
        checks.check_finite(chunk)
        depth = checks.check_quantizers(num_quantizers, self.num_quantizers)
        if chunk.shape[2] % self.frame_size:
            raise ValueError(
                f"a chunk must be whole frames of {self.frame_size} samples, got {chunk.shape[2]}: "
                "use stream_encoder() for chunks of any size"
            )
        self._check_batch_of(state, chunk.shape[0])
        active = checks.check_active(active, chunk.shape[0], self.device)
        waveform = self._interleave(chunk.to(self.device))
        latents, state = self._side("encoder").step(waveform, state, active)
        codes = self.quantizer.encode(latents, depth)
        return codes if active is None else codes * active[:, None, None], state

    @torch.no_grad()
    def decode_step(
        self, codes: Tensor, state: StackState, active: Tensor | None = None
    ) -> tuple[Tensor, StackState]:
        """The next n frames of every row: `[B, K, n]` -> audio `[B, C, n * frame_size]`, new state.

        Rows not `active` (bool `[B]`) keep their place and give silence; their codes are ignored.
        """
        if active is not None and isinstance(codes, Tensor) and codes.dim() == 3:
            idle = ~torch.as_tensor(active, device=codes.device)
            codes = codes.masked_fill(idle[:, None, None], 0) if idle.shape == codes.shape[:1] else codes
        checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        self._check_batch_of(state, codes.shape[0])
        active = checks.check_active(active, codes.shape[0], self.device)
        latents = self.quantizer.decode(codes.to(self.device))
        decoded, state = self._side("decoder").step(latents, state, active)
        audio = self._separate(decoded.float())
        return audio if active is None else audio * active[:, None, None], state

    def _interleave(self, audio: Tensor) -> Tensor:
        """`[B, C, T]` -> `[B, 1, T * C]`, channels alternating sample by sample."""
        return audio.transpose(1, 2).reshape(audio.shape[0], 1, -1)

    def _separate(self, waveform: Tensor) -> Tensor:
        """The inverse of `_interleave`."""
        return waveform.reshape(waveform.shape[0], -1, self.channels).transpose(1, 2).contiguous()

    def _waveform_chunk(self, audio: Tensor, lengths: Tensor, start: int, stop: int) -> Tensor:
        """Frames start to stop of the audio on the model's device, zero past each row's length."""
        first, last = start * self.frame_size, stop * self.frame_size
        chunk = _zero_after(audio[..., first:last], lengths.to(audio.device) - first)
        checks.check_finite(chunk)
        missing = last - first - chunk.shape[2]
        return nn.functional.pad(chunk, (0, missing)).to(self.device)

    def _side(self, name: Literal["encoder", "decoder"]) -> CausalStack:
        if self.part not in ("all", name):
            raise ValueError(
                f'only the {self.part} of this model was loaded: load it with part="all" or '
                f'part="{name}"'
            )
        return getattr(self, name)

    def _check_batch_of(self, state: StackState, batch: int) -> None:
        if state.batch_size != batch:
            raise ValueError(f"the state has {state.batch_size} rows, the chunk {batch}")

    def _check_same_code_space(self, encoded: Encoded) -> None:
        if encoded.weight_hash and encoded.weight_hash != self.weight_hash:
            raise ValueError(
                f"these codes were made by another model ({encoded.model_id or 'unnamed'}, weights "
                f"{encoded.weight_hash}; this one is {self.weight_hash}): load that model, or pass "
                "the bare .codes tensor to decode them all the same"
            )


def _check_batch(batch_size: int) -> int:
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
    return batch_size


def _zero_after(x: Tensor, lengths: Tensor) -> Tensor:
    """`[B, N, T]` with everything from `lengths[b]` on set to 0 (NaN too)."""
    if int(lengths.min()) >= x.shape[2]:
        return x
    inside = torch.arange(x.shape[2], device=x.device) < lengths.to(x.device)[:, None]
    return x.masked_fill(~inside[:, None], 0)
