"""The codec as a module: waveform -> latents -> residual codes -> latents -> waveform.

Tensors in, tensors out, for training (`forward`) and for streams (`encode_step`, `decode_step`).
`CausalAudioTokenizer` adds what a user calls: whole recordings, sessions and folders of weights.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from catok.modules.linear import PrepackedLinear, prepack
from catok.modules.quantizer import Quantized, build_quantizer
from catok.modules.stack import CausalStack
from catok.modules.streaming_state import StackState
from catok.modules.transformer import TransformerStage
from catok.tokenizer import checks
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.interface import TokenizerFacts
from catok.tokenizer.streaming import LONG_FRAMES
from catok.tokenizer.weight_hash import WeightHash

Part = Literal["all", "encoder", "decoder"]


@dataclass(frozen=True)
class Reconstruction:
    """A training-time pass: `audio` `[B, C, F * frame_size]` and what the quantizer did."""

    audio: Tensor
    quantized: Quantized


class CodecModel(TokenizerFacts, nn.Module):
    """A causal Transformer encoder, a quantizer and a mirrored decoder (paper section 1).

    `part` "encoder" or "decoder" builds that half only, with the quantizer, which both need.
    """

    def __init__(self, config: TokenizerConfig, *, part: Part = "all") -> None:
        super().__init__()
        if not isinstance(config, TokenizerConfig):
            raise ValueError(
                f"config must be a TokenizerConfig, got {config!r}: from_pretrained loads a model"
            )
        if part not in ("all", "encoder", "decoder"):
            raise ValueError(f'part must be "all", "encoder" or "decoder", got {part!r}')
        self.config = config
        self.part = part
        if part != "decoder":
            self.encoder = CausalStack(
                config.encoder,
                input_rate=config.sample_rate * config.channels,
                unfold=False,
                always_project=config.always_project,
            )
        self.quantizer = build_quantizer(config.quantizer)
        self._weight_hash = WeightHash()
        if part != "encoder":
            self.decoder = CausalStack(
                config.decoder,
                input_rate=config.frame_rate,
                unfold=True,
                always_project=config.always_project,
            )

    @property
    def device(self) -> torch.device:
        """Where the weights are; inputs are moved there."""
        return self.quantizer.device

    @property
    def weight_hash(self) -> str:
        """16 hex digits that name the code space: SHA-256 over the quantizer's tensors.

        Models that share it understand each other's codes, for example after the decoder alone
        was fine-tuned. Always that of the weights as they are now (see `WeightHash`).
        """
        return self._weight_hash(self.quantizer)

    def forward(
        self,
        audio: Tensor,
        num_quantizers: int | Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Reconstruction:
        """Encode, quantize and decode with gradients; T must be whole frames.

        `audio` `[B, C, F * frame_size]`; `num_quantizers` and `mask` as in `Quantizer`.
        """
        latents = self.side("encoder")(self.interleave(audio)).float()
        with torch.autocast(latents.device.type, enabled=False):
            quantized = self.quantizer(latents, num_quantizers, mask)
        decoded = self.side("decoder")(quantized.latents)
        return Reconstruction(self.separate(decoded.float()), quantized)

    def checkpoint_activations(self, wanted: bool) -> None:
        """Save memory in training, for about a third more time (see `TransformerStage`)."""
        for module in self.modules():
            if isinstance(module, TransformerStage):
                module.checkpoint_activations = wanted

    def compile(self, **options: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Have the steps of streams compiled by `torch.compile(**options)`; returns this model.

        Streams that begin from now on take all of their memory at once, so that every step of one
        size has the same shapes; each size and number of rows is compiled when it first comes, in
        a minute or more. Training compiles for itself (`compile` in its recipe). Raises ValueError
        on a prepacked model.
        """
        if any(isinstance(module, PrepackedLinear) for module in self.modules()):
            raise ValueError("a prepacked model cannot be compiled: do one or the other")
        for module in self.modules():
            if isinstance(module, TransformerStage):
                module.compile_step(**options)
        return self

    def prepack(self) -> Self:
        """Make inference on this CPU faster, for good; returns this same model.

        The weights of encoder and decoder are laid out as the processor's matrix products want
        them, and what the quantizer works out of its weights is kept. Codes stay the same to within
        rounding. The model can be saved, pickled and cast, but neither trained nor moved to a GPU,
        nor does it see weights that change from here on. Raises ValueError on another device.
        """
        if self.device.type != "cpu":
            raise ValueError("prepacking is for CPUs: load the model there")
        prepack(self)
        self.quantizer.prepack()
        return self.requires_grad_(False)

    @torch.no_grad()
    def embed(self, codes: Tensor) -> Tensor:
        """Codes `[B, K, F]` -> the quantized latents `[B, D, F]` float32 that the decoder hears."""
        codes = checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        return self.quantizer.decode(codes.to(self.device))

    def encoder_state(self, batch_size: int = 1) -> StackState:
        """The state of `batch_size` streams to encode that have not begun."""
        return self.side("encoder").initial_state(checks.check_batch_size(batch_size))

    def decoder_state(self, batch_size: int = 1) -> StackState:
        """The state of `batch_size` streams to decode that have not begun."""
        return self.side("decoder").initial_state(checks.check_batch_size(batch_size))

    @torch.no_grad()
    def encode_step(
        self,
        chunk: Tensor,
        state: StackState,
        active: Tensor | None = None,
        num_quantizers: int | None = None,
    ) -> tuple[Tensor, StackState]:
        """The next n frames of every row: `[B, C, n * frame_size]` -> codes `[B, K, n]`, new state.

        Rows not `active` (bool `[B]`) keep their place and give code 0; their audio is ignored.
        Memory beyond input and output does not grow with n. Raises ValueError as `encode` does, and
        on a chunk of no whole frames.
        """
        chunk = checks.check_audio(chunk, self.channels)
        self._check_state(state, chunk.shape[0], of_decoder=False)
        active = checks.check_active(active, chunk.shape[0], self.device)
        if active is not None:
            chunk = chunk.to(self.device).masked_fill(~active[:, None, None], 0)
        checks.check_samples(chunk)
        num_quantizers = checks.check_quantizers(num_quantizers, self.num_quantizers)
        if chunk.shape[2] % self.frame_size:
            raise ValueError(
                f"a chunk must be whole frames of {self.frame_size} samples, got {chunk.shape[2]}: "
                "use stream_encoder() for chunks of any size"
            )
        codes, state = self.encode_frames(chunk, state, num_quantizers, active)
        return codes if active is None else codes * active[:, None, None], state

    @torch.no_grad()
    def encode_frames(
        self, chunk: Tensor, state: StackState, num_quantizers: int, active: Tensor | None = None
    ) -> tuple[Tensor, StackState]:
        """`encode_step` of input that has been checked; rows not `active` give any code."""
        codes = []
        for piece in chunk.split(LONG_FRAMES * self.frame_size, dim=2):
            waveform = self.interleave(piece.to(self.device))
            latents, state = self.side("encoder").step(waveform, state, active)
            codes.append(self.quantizer.encode(latents, num_quantizers))
        return torch.cat(codes, dim=2), state

    @torch.no_grad()
    def decode_step(
        self, codes: Tensor, state: StackState, active: Tensor | None = None
    ) -> tuple[Tensor, StackState]:
        """The next n frames of every row: `[B, K, n]` -> audio `[B, C, n * frame_size]`, new state.

        Rows not `active` (bool `[B]`) keep their place and give silence; their codes are ignored.
        Memory beyond input and output does not grow with n. Raises ValueError as `decode` does.
        """
        codes = checks.check_codes_layout(codes, self.num_quantizers)
        self._check_state(state, codes.shape[0], of_decoder=True)
        active = checks.check_active(active, codes.shape[0], self.device)
        codes = codes.to(self.device)
        if active is not None:
            codes = codes.masked_fill(~active[:, None, None], 0)
        codes = checks.check_codes(codes, self.num_quantizers, self.codebook_size)
        audio, state = self.decode_frames(codes, state, active)
        return audio if active is None else audio * active[:, None, None], state

    @torch.no_grad()
    def decode_frames(
        self, codes: Tensor, state: StackState, active: Tensor | None = None
    ) -> tuple[Tensor, StackState]:
        """`decode_step` of codes that have been checked; rows not `active` give any sound."""
        codes = codes.to(self.device)
        batch, _, frames = codes.shape
        audio = torch.empty(
            batch,
            self.channels,
            frames * self.frame_size,
            dtype=torch.float32,
            device=self.device,
        )
        pieces = audio.split(LONG_FRAMES * self.frame_size, dim=2)
        for piece, chunk in zip(pieces, codes.split(LONG_FRAMES, dim=2), strict=True):
            latents = self.quantizer.decode(chunk)
            decoded, state = self.side("decoder").step(latents, state, active)
            piece.copy_(self.separate(decoded))
        return audio, state

    def interleave(self, audio: Tensor) -> Tensor:
        """`[B, C, T]` -> `[B, 1, T * C]`, channels alternating sample by sample."""
        return audio.transpose(1, 2).reshape(audio.shape[0], 1, -1)

    def separate(self, waveform: Tensor) -> Tensor:
        """The inverse of `interleave`."""
        return waveform.reshape(waveform.shape[0], -1, self.channels).transpose(1, 2).contiguous()

    def side(self, name: Literal["encoder", "decoder"]) -> CausalStack:
        if self.part not in ("all", name):
            raise ValueError(
                f'only the {self.part} of this model was loaded: load it with part="all" or '
                f'part="{name}"'
            )
        return getattr(self, name)

    def _check_state(self, state: StackState, batch: int, *, of_decoder: bool) -> None:
        if state.of_decoder != of_decoder:
            name = "decoder" if of_decoder else "encoder"
            raise ValueError(f"this is no state of the {name}: begin with {name}_state()")
        if state.batch_size != batch:
            raise ValueError(f"the state has {state.batch_size} rows, the chunk {batch}")
