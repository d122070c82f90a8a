"""The codecs that `peers.py` measures, each as two calls and, where it streams, two steps."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common import load_model

OURS = ("tiny", "nano", "24khz", "v2")
Call = Callable[[Any], Any]


@dataclass
class Codec:
    """`encode` takes audio `[1, C, T]` and gives what `decode` takes; `codes` `[1, K, F]` of it.

    `stream` gives two functions that do one step each: audio -> codes `[1, K, 1]` and back. With
    `exact` those steps are meant to give what the whole recording gives; `note` says what is not.
    """

    network: Any
    sample_rate: int
    channels: int
    kbps: float
    encode: Call
    decode: Call
    codes: Call
    stream: Callable[[], tuple[Call, Call]] | None = None
    note: str = ""


def ours(name: str) -> Codec:
    """A tokenizer of this package, prepacked."""
    model = load_model("tiny", None) if name == "tiny" else load_model(None, name)
    model.prepack()

    def stream() -> tuple[Call, Call]:
        states = [model.encoder_state(1), model.decoder_state(1)]

        def encode(chunk):
            codes, states[0] = model.encode_step(chunk, states[0])
            return codes

        def decode(codes):
            audio, states[1] = model.decode_step(codes, states[1])
            return audio

        return encode, decode

    kbps = model.num_quantizers * math.log2(model.codebook_size) * model.frame_rate / 1000
    return Codec(
        *(model, model.sample_rate, model.channels, kbps, model.encode, model.decode),
        codes=lambda encoded: encoded.codes,
        stream=stream,
    )


def encodec() -> Codec:
    """The published 24 kHz configuration, 32 codebooks."""
    from transformers import EncodecConfig, EncodecModel

    model = fill(EncodecModel(EncodecConfig()))
    return Codec(
        *(model, 24_000, 1, 24.0),
        encode=lambda audio: model.encode(audio, bandwidth=24.0).audio_codes,
        decode=lambda codes: model.decode(codes, [None]).audio_values,
        codes=lambda codes: codes[0],
        note="transformers does not stream it",
    )


def dac() -> Codec:
    """The published 24 kHz configuration, 32 codebooks."""
    from transformers import DacConfig, DacModel

    config = DacConfig(downsampling_ratios=[2, 4, 5, 8], n_codebooks=32, sampling_rate=24_000)
    model = fill(DacModel(config))
    return Codec(
        *(model, 24_000, 1, 24.0),
        encode=lambda audio: model.encode(audio).audio_codes,
        decode=lambda codes: model.decode(audio_codes=codes).audio_values[:, None],
        codes=lambda codes: codes,
        note="not causal",
    )


def snac() -> Codec:
    """The published 24 kHz configuration: 3 codebooks at 12, 23 and 47 codes a second."""
    try:
        from snac import SNAC
    except ImportError as error:
        raise SystemExit(f"snac is not installed ({error})") from error
    rates = {"encoder_rates": [2, 4, 8, 8], "decoder_rates": [8, 8, 4, 2], "vq_strides": [4, 2, 1]}
    widths = {"encoder_dim": 48, "decoder_dim": 1024}
    model = SNAC(sampling_rate=24_000, attn_window_size=None, **rates, **widths)
    return Codec(
        *(fill(model), 24_000, 1, 0.984, model.encode, model.decode),
        codes=lambda codes: codes[-1][:, None],
        note="not causal",
    )


def mimi() -> Codec:
    """The published configuration in transformers, 32 codebooks."""
    from transformers import MimiConfig, MimiModel

    model = fill(MimiModel(MimiConfig()))

    def stream() -> tuple[Call, Call]:
        kept: dict[str, Any] = {}

        def encode(chunk):
            out = model.encode(chunk, use_streaming=True, **kept.get("encoder", {}))
            names = ("encoder_past_key_values", "padding_cache")
            kept["encoder"] = {name: getattr(out, name) for name in names}
            return out.audio_codes

        def decode(codes):
            past = kept.get("decoder")
            out = model.decode(codes, decoder_past_key_values=past, use_cache=True)
            kept["decoder"] = out.decoder_past_key_values
            return out.audio_values

        return encode, decode

    return Codec(
        *(model, 24_000, 1, 4.4),
        encode=lambda audio: model.encode(audio).audio_codes,
        decode=lambda codes: model.decode(codes).audio_values,
        codes=lambda codes: codes,
        stream=stream,
        note="transformers keeps no state of the decoder's convolutions",
    )


def mimi_moshi() -> Codec:
    """The same network in the package of its authors, which streams it whole."""
    try:
        from moshi.models import loaders
    except ImportError as error:
        raise SystemExit(f"moshi is not installed ({error})") from error
    model = fill(loaders.get_mimi(None, device="cpu", num_codebooks=32))

    def stream() -> tuple[Call, Call]:
        model.streaming_forever(1)
        model.reset_streaming()
        return model.encode, model.decode

    return Codec(
        *(model, 24_000, 1, 4.4, model.encode, model.decode),
        codes=lambda codes: codes,
        stream=stream,
    )


def fill(model: Any) -> Any:
    """Codebooks that start as zeros get random rows, so that codes differ."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for buffer in codebooks(model):
        buffer.normal_(generator=generator)
    return model.eval()


def codebooks(model: Any) -> list[Any]:
    """Those tables of codes that are buffers, not parameters."""
    return [buffer for name, buffer in model.named_buffers() if is_codebook(name)]


def is_codebook(name: str) -> bool:
    """Whether a buffer of this name is one."""
    return name.rpartition(".")[2] in ("embed", "embed_sum", "embedding_sum")


def count_weights(model: Any) -> int:
    """Numbers in the network, codebooks included; prepacked layers have no parameters."""
    buffers = dict(model.named_buffers())
    kept = (x for k, x in model.state_dict().items() if k not in buffers or is_codebook(k))
    return sum(x.numel() for x in kept)


PEERS = {"encodec": encodec, "dac": dac, "snac": snac, "mimi": mimi, "mimi-moshi": mimi_moshi}


def build(name: str) -> Codec:
    """One of ours or of the peers."""
    return ours(name) if name in OURS else PEERS[name]()
