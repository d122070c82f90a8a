"""Speech to tokens and back at four bitrates: files, a picture and a table.

    python examples/demo.py --out demo-output

Needs the extra: pip install catok[eval]
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from catok import CausalAudioTokenizer, Encoded, load_audio, save_audio
from catok.evaluation import pesq, stoi
from catok.modules.mel import mel_filters

T = TypeVar("T")
SPEECH = Path(__file__).with_name("speech.flac")
CODEBOOKS = (4, 8, 16, 32)  # 0.5, 1, 2 and 4 kbit/s with the released models and "tiny"
REPEATS = 3  # timings are the best of so many
FFT, HOP, MELS = 1024, 256, 80
COLUMNS = (
    "codebooks",
    "kbit/s",
    "file bytes",
    "kbit/s of file",
    "STOI",
    "PESQ-WB",
    "RTF encode",
    "RTF decode",
)


@dataclass(frozen=True)
class Result:
    """One bitrate: the decoded audio `[C, T]` and what was measured. None: cannot be measured."""

    codebooks: int
    bitrate: float
    audio: Tensor
    file_bytes: int
    file_bitrate: float
    stoi: float | None
    pesq: float | None
    encode_factor: float
    decode_factor: float

    def row(self) -> list[str]:
        numbers = (self.bitrate / 1000, self.file_bytes, self.file_bitrate / 1000)
        return [
            str(self.codebooks),
            *(f"{number:.3g}" if number < 100 else f"{number:.0f}" for number in numbers),
            *("n/a" if score is None else f"{score:.2f}" for score in (self.stoi, self.pesq)),
            *(f"{factor:.3f}" for factor in (self.encode_factor, self.decode_factor)),
        ]


def main(arguments: list[str] | None = None) -> list[Result]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder to write to")
    parser.add_argument("--model", default="tiny", help="name or folder of a tokenizer")
    parser.add_argument("--audio", type=Path, default=SPEECH, help="a recording of speech")
    options = parser.parse_args(arguments)

    tokenizer = CausalAudioTokenizer.from_pretrained(options.model)
    audio, rate = load_audio(
        options.audio, sample_rate=tokenizer.sample_rate, channels=tokenizer.channels
    )
    options.out.mkdir(parents=True, exist_ok=True)
    save_audio(options.out / "original.wav", audio, rate)

    encoded = tokenizer.encode(audio[None])
    depths = [k for k in CODEBOOKS if k <= tokenizer.num_quantizers] or [tokenizer.num_quantizers]
    results = [one_bitrate(tokenizer, audio, encoded, k, options.out) for k in depths]

    seconds = audio.shape[1] / rate
    print(f"{options.audio.name}: {seconds:.2f} s at {rate} Hz, model {options.model}")
    print(f"{torch.get_num_threads()} thread(s); RTF = computing time / duration\n")
    print_table([list(COLUMNS), *(result.row() for result in results)])
    draw(audio, results, rate, options.out / "demo.png")
    print(f"\nwritten to {options.out}: original.wav, speech_K.cat and speech_K.wav, demo.png")
    return results


def one_bitrate(
    tokenizer: CausalAudioTokenizer, audio: Tensor, encoded: Encoded, codebooks: int, out: Path
) -> Result:
    """Save the first `codebooks` codebooks, read the file back, decode and measure."""
    file = out / f"speech_{codebooks}.cat"
    encoded.prefix(codebooks).save(file)
    loaded = Encoded.load(file)
    decoded, decode_time = timed(lambda: tokenizer.decode(loaded)[0])
    _, encode_time = timed(lambda: tokenizer.encode(audio[None], num_quantizers=codebooks))
    save_audio(file.with_suffix(".wav"), decoded, tokenizer.sample_rate)
    seconds = float(encoded.duration)
    return Result(
        codebooks=codebooks,
        bitrate=loaded.bitrate,
        audio=decoded,
        file_bytes=file.stat().st_size,
        file_bitrate=file.stat().st_size * 8 / seconds,
        stoi=score(stoi, audio, decoded, tokenizer.sample_rate),
        pesq=score(pesq, audio, decoded, tokenizer.sample_rate),
        encode_factor=encode_time / seconds,
        decode_factor=decode_time / seconds,
    )


def timed(run: Callable[[], T]) -> tuple[T, float]:
    """What `run` returns and its best time in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return result, min(times)


def score(metric: Callable[[Tensor, Tensor, int], float], *signals) -> float | None:
    """The metric, or None with a note where it does not apply."""
    try:
        return metric(*signals)
    except ValueError as error:
        print(f"{metric.__name__}: {error}")
        return None


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def log_mel(audio: Tensor, rate: int) -> Tensor:
    """`[C, T]` -> decibels `[MELS, frames]` of the mean of the channels."""
    spectrum = torch.stft(
        audio.mean(0), FFT, HOP, window=torch.hann_window(FFT), return_complex=True
    )
    mel = mel_filters(rate, FFT, MELS)[0].T @ spectrum.abs()
    return 20 * mel.clamp(min=1e-7).log10()


def draw(audio: Tensor, results: list[Result], rate: int, path: Path) -> None:
    """Waveform and log-mel spectrogram, the original above and each bitrate below."""
    rows = [("original", audio)]
    for result in results:
        scores = f"STOI {result.row()[4]}   PESQ {result.row()[5]}"
        title = f"{result.bitrate / 1000:.3g} kbit/s   {result.codebooks} codebooks   {scores}"
        rows.append((title, result.audio))
    seconds = audio.shape[1] / rate
    peak = float(audio.abs().max()) * 1.1
    loudest = float(log_mel(audio, rate).max())
    times = torch.arange(audio.shape[1]) / rate
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(14, 2.1 * len(rows)), sharex=True, layout="constrained"
    )
    for (title, signal), (left, right) in zip(rows, axes, strict=True):
        colour = "#333333" if signal is audio else "#1f6fb2"
        left.plot(times.numpy(), signal.mean(0).numpy(), linewidth=0.4, color=colour)
        left.set(ylim=(-peak, peak), ylabel="amplitude")
        left.set_title(title, loc="left", fontsize=10)
        left.spines[["top", "right"]].set_visible(False)
        image = right.imshow(
            (log_mel(signal, rate) - loudest).numpy(),
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, MELS),
            cmap="magma",
            vmin=-80,
            vmax=0,
        )
        ticks = [1000, 2000, 4000, 8000]
        right.set_yticks([mel_bin(hz, rate) for hz in ticks], [f"{hz // 1000}" for hz in ticks])
        right.set_ylabel("kHz (mel)")
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    axes[0, 0].set_xlim(0, seconds)
    figure.colorbar(image, ax=axes[:, 1], label="dB re the original's loudest", pad=0.01, aspect=60)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def mel_bin(hz: int, rate: int) -> float:
    """Where a frequency lies on the axis of `log_mel`: the band whose triangle weighs it most."""
    filters = mel_filters(rate, FFT, MELS)[0]
    return float(filters[round(hz * FFT / rate)].argmax()) + 0.5


if __name__ == "__main__":
    main()
