"""Ports with one fault each, as they are seen in the wild."""

from dataclasses import replace
from types import SimpleNamespace

import torch

from catok import CausalAudioTokenizer
from catok.modules.attention import CausalAttention, WindowMasks
from catok.modules.rope import rotations
from catok.modules.streaming_state import StackState
from catok.modules.transformer import TransformerStage


def stages(tokenizer) -> list[TransformerStage]:
    return [each for each in tokenizer.modules() if isinstance(each, TransformerStage)]


class RingCache(CausalAudioTokenizer):
    """A cache of exactly `window` keys, into which a chunk is written before attention."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        tokenizer = super().from_pretrained(folder, **options)
        for module in tokenizer.modules():
            if isinstance(module, CausalAttention):
                forget_early(module)
        return tokenizer


def forget_early(attention: CausalAttention) -> None:
    whole = attention.forward

    def forward(x, rotation, masks, append=None):
        if append is None:
            return whole(x, rotation, masks)
        kept = max(0, masks.window - masks.steps)
        dropped = max(0, masks.past - kept)
        first = None if masks.first is None else (masks.first - dropped).clamp(min=0)
        narrow = WindowMasks(masks.steps, masks.past - dropped, masks.window, first, like=x)

        def append_late(k, v):
            return tuple(each[:, :, dropped:] for each in append(k, v))

        return whole(x, rotation, narrow, append_late)

    attention.forward = forward


class FloorLengths(CausalAudioTokenizer):
    """Frames are counted by floor, as the official code does."""

    def encode(self, audio, lengths=None, num_quantizers=None):
        found = super().encode(audio, lengths, num_quantizers)
        frames = found.sample_lengths // self.frame_size
        return SimpleNamespace(codes=found.codes, frame_lengths=frames)


class NarrowQuantizer(CausalAudioTokenizer):
    """The quantizer's arithmetic is bfloat16."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        tokenizer = super().from_pretrained(folder, **options)
        quantizer = tokenizer.quantizer

        def narrow(depth):
            folded = quantizer.for_inference(depth)
            tensors = {k: v.bfloat16() for k, v in vars(folded.codebooks).items()}
            own = {k: getattr(folded, k).bfloat16() for k in ("read", "write")}
            own |= {k: getattr(folded, k).bfloat16() for k in ("read_bias", "write_bias")}
            return replace(folded, codebooks=replace(folded.codebooks, **tensors), **own)

        quantizer.encode = lambda latents, depth=None: narrow(depth).encode(latents.bfloat16())
        quantizer.decode = lambda codes: narrow(codes.shape[1]).decode(codes).float()
        return tokenizer


class ResetKeeps(CausalAudioTokenizer):
    """A row that is reset goes on as it was."""

    def encoder_state(self, batch_size=1):
        return Kept(super().encoder_state(batch_size).stages)

    def decoder_state(self, batch_size=1):
        return Kept(super().decoder_state(batch_size).stages, of_decoder=True)

    def encode_step(self, chunk, state, active=None, num_quantizers=None):
        codes, after = super().encode_step(chunk, state, active, num_quantizers)
        return codes, Kept(after.stages)

    def decode_step(self, codes, state, active=None):
        audio, after = super().decode_step(codes, state, active)
        return audio, Kept(after.stages, of_decoder=True)


class Kept(StackState):
    def reset(self, rows=None):
        return self


class UnscaledRotary(CausalAudioTokenizer):
    """Pair i turns by `max_period ** -i`, without the division by the head's size."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        tokenizer = super().from_pretrained(folder, **options)
        for stage in stages(tokenizer):
            size = stage.config.width // stage.config.heads
            period = stage.config.max_period ** (size / 2)
            stage._rotation = lambda at, size=size, period=period: rotations(at, size, period)
        return tokenizer


class RestartedPositions(CausalAudioTokenizer):
    """Every chunk of a stream begins at position 0."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        tokenizer = super().from_pretrained(folder, **options)
        for stage in stages(tokenizer):
            own = stage._rotation
            stage._rotation = lambda at, own=own: own(at - at[..., :1])
        return tokenizer


class NoWindow(CausalAudioTokenizer):
    """Every query sees all that was before."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        tokenizer = super().from_pretrained(folder, **options)
        for stage in stages(tokenizer):
            stage.window = 10**6
        return tokenizer


class NobodyWaits(CausalAudioTokenizer):
    """`active` is not heeded."""

    def encode_step(self, chunk, state, active=None, num_quantizers=None):
        return super().encode_step(chunk, state, None, num_quantizers)

    def decode_step(self, codes, state, active=None):
        return super().decode_step(codes, state, None)


class OneMoreCodebook(CausalAudioTokenizer):
    """A part of the codebooks is one more than was asked for."""

    def encode(self, audio, lengths=None, num_quantizers=None):
        found = super().encode(audio, lengths)
        more = min(self.num_quantizers, (num_quantizers or self.num_quantizers) + 1)
        first = more - num_quantizers if num_quantizers else 0
        return replace(found, codes=found.codes[:, first:more])


class MixedRows(CausalAudioTokenizer):
    """Rows of a batch are shifted by one."""

    def encode(self, audio, lengths=None, num_quantizers=None):
        found = super().encode(audio, lengths, num_quantizers)
        return replace(found, codes=found.codes.roll(1, 0))


class Float16(CausalAudioTokenizer):
    """Encoder and decoder are float16."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        return super().from_pretrained(folder, dtype=torch.float16, **options)


class TanhGelu(CausalAudioTokenizer):
    """The approximation of GELU by tanh."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        tokenizer = super().from_pretrained(folder, **options)
        for module in tokenizer.modules():
            if isinstance(module, torch.nn.GELU):
                module.approximate = "tanh"
        return tokenizer
