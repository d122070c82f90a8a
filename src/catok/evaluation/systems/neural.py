"""Neural codecs with residual codebooks: encode once, decode any prefix of the codebooks."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from catok.codes import Encoded
from catok.evaluation.systems.base import Output, convert, restore, timed
from catok.io.cat_file import bits_per_code

_SAME_RATE = 1e-3  # relative: "0.861 kbps" stands for 0.86133 kbps


class NeuralCodec(Protocol):
    """What `NeuralSystem` needs to know of a codec.

    `codebook_counts`: the numbers of codebooks that it can decode, in ascending order. `weights`:
    see `Output`, None where there are none.
    """

    sample_rate: int
    channels: int
    frame_rate: float
    codebook_size: int
    codebook_counts: tuple[int, ...]
    weights: str | None

    def encode(self, audio: Tensor) -> Encoded:
        """Audio `[1, C, T]` at the codec's rate -> all its codes, on the CPU."""
        ...

    def decode(self, encoded: Encoded, num_quantizers: int) -> Tensor:
        """Audio `[1, C, n]` on the CPU from the first `num_quantizers` codebooks."""
        ...


class NeuralSystem:
    """A codec at one or more numbers of codebooks, its settings named by bitrate ("1 kbps").

    `bitrates`: "all" (1, 2, 4, ... codebooks and the most there are), or a list of bitrates in
    kbps (6.0 or "6") and numbers of codebooks ("8q"). A recording is mixed and resampled to what
    the codec takes and back; a mono codec gives a stereo recording the same sound twice. The times
    leave conversions out; the encoding time is that of all codebooks at every setting, since they
    are encoded once. `bits` is codebooks x frames x ceil(log2(codebook size)): the payload of a
    `.cat` file before a plane is filled up to whole bytes.

    Raises ValueError on a bitrate that the codec does not have, naming those that it has.
    """

    def __init__(
        self, name: str, codec: NeuralCodec, bitrates: str | Sequence[str | float] = "all"
    ) -> None:
        self.name = name
        self.codec = codec
        self.codebook_counts = select_num_quantizers(codec, bitrates)
        self.settings = tuple(
            setting_name(codec, num_quantizers) for num_quantizers in self.codebook_counts
        )

    @torch.no_grad()
    def run(self, audio: Tensor, sample_rate: int) -> Iterator[Output]:
        """See `System.run`; `encoded` holds all codebooks at every setting."""
        codec = self.codec
        given = convert(audio, sample_rate, codec.sample_rate, codec.channels)
        encoded, encode_seconds = timed(lambda: codec.encode(given[None]))
        per_codebook = encoded.codes.shape[2] * bits_per_code(codec.codebook_size)
        for num_quantizers, setting in zip(self.codebook_counts, self.settings, strict=True):
            decoded, seconds = timed(
                lambda num_quantizers=num_quantizers: codec.decode(encoded, num_quantizers)
            )
            yield Output(
                setting,
                restore(decoded[0], codec.sample_rate, audio, sample_rate),
                bits=num_quantizers * per_codebook,
                encode_seconds=encode_seconds,
                decode_seconds=seconds,
                num_quantizers=num_quantizers,
                encoded=encoded,
                weights=codec.weights,
            )


def weight_fingerprint(model: nn.Module) -> str:
    """Sixteen hex digits that stand for all weights of a model."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def select_num_quantizers(
    codec: NeuralCodec, bitrates: str | Sequence[str | float]
) -> tuple[int, ...]:
    """Numbers of codebooks, each once; see `NeuralSystem` for `bitrates` and errors."""
    if isinstance(bitrates, str):
        if bitrates != "all":
            raise ValueError(f'bitrates must be "all" or a list, got {bitrates!r}')
        most = codec.codebook_counts[-1]
        return tuple(d for d in codec.codebook_counts if d & (d - 1) == 0 or d == most)
    if not bitrates:
        raise ValueError('no bitrates given: leave them out, or write "all" for several')
    return tuple(dict.fromkeys(_parse_codebook_count(codec, item) for item in bitrates))


def setting_name(codec: NeuralCodec, num_quantizers: int) -> str:
    """The bitrate of so many codebooks, as settings are named: "0.125 kbps"."""
    return f"{_kbps(codec, num_quantizers):.4g} kbps"


def _kbps(codec: NeuralCodec, num_quantizers: int) -> float:
    return num_quantizers * bits_per_code(codec.codebook_size) * codec.frame_rate / 1000


def _parse_codebook_count(codec: NeuralCodec, item: str | float) -> int:
    """The number of codebooks that "8q" says or that gives so many kbps."""
    text = str(item).strip()
    try:
        if text.endswith("q"):
            matches = [count for count in codec.codebook_counts if count == int(text[:-1])]
        else:
            requested = float(text)
            rates = {count: _kbps(codec, count) for count in codec.codebook_counts}
            matches = [n for n, rate in rates.items() if abs(rate - requested) <= _SAME_RATE * rate]
    except ValueError:
        raise ValueError(
            f'{text!r} is no bitrate: write kbps ("6") or a number of codebooks ("8q")'
        ) from None
    if not matches:
        raise ValueError(f"this codec does not have {text}: it has {_known(codec)}")
    return matches[0]


def _known(codec: NeuralCodec) -> str:
    """The bitrates of a codec, for error messages."""
    first, last = codec.codebook_counts[0], codec.codebook_counts[-1]
    if codec.codebook_counts == tuple(range(1, last + 1)) and last > 8:
        return (
            f"the multiples of {setting_name(codec, 1)} up to {setting_name(codec, last)} "
            f'("1q" to "{last}q" codebooks)'
        )
    rates = ", ".join(f'{setting_name(codec, d)} ("{d}q")' for d in codec.codebook_counts)
    return f"{rates}" if first < last else f"only {rates}"
