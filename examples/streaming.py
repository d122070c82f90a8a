"""Encode and decode a recording as it would come from a microphone, in pieces of 37 ms.

python examples/streaming.py [recording.wav] [--model tiny]
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from catok import CausalAudioTokenizer, load_audio


def main(arguments: list[str] | None = None) -> tuple[int, float]:
    """Returns how many codes differ from the offline result, and the largest audio difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", nargs="?", default=Path(__file__).with_name("speech.flac"))
    parser.add_argument("--model", default="tiny", help="name or folder of a tokenizer")
    options = parser.parse_args(arguments)
    tokenizer = CausalAudioTokenizer.from_pretrained(options.model)
    rate = tokenizer.sample_rate
    audio, _ = load_audio(options.audio, sample_rate=rate, channels=tokenizer.channels)

    encoder = tokenizer.stream_encoder()
    decoder = tokenizer.stream_decoder(samples=audio.shape[1])
    codes, heard, times, first = [], [], [], None
    for piece in audio.split(round(0.037 * rate), dim=1):
        start = time.perf_counter()
        codes.append(encoder.push(piece))  # [1, K, 0 or more]
        heard.append(decoder.push(codes[-1]))
        if heard[-1].shape[2]:
            times.append(time.perf_counter() - start)
            first = first or encoder.samples / rate
    codes.append(encoder.flush())  # the last frame, completed with zeros
    heard.append(decoder.push(codes[-1]))
    decoder.flush()

    offline = tokenizer.encode(audio[None])
    streamed = torch.cat(codes, dim=2)
    different = int((streamed != offline.codes).sum())
    decoded = tokenizer.decode(streamed)[..., : audio.shape[1]]
    difference = float((torch.cat(heard, dim=2) - decoded).abs().max())
    print(f"codes that differ from offline: {different} of {streamed.numel()}")
    print(f"largest difference of the audio: {difference:.1e}")
    frame = 1000 / tokenizer.frame_rate
    print(f"first audio after {1000 * (first or 0):.0f} ms of input; a frame is {frame:.0f} ms")
    median, worst = 1000 * statistics.median(times), 1000 * max(times)
    print(f"to encode and decode a frame: median {median:.1f} ms, worst {worst:.1f} ms")
    return different, difference


if __name__ == "__main__":
    main()
