"""Streaming against offline: equal codes, equal audio, and the time of a step.

    python benchmarks/streaming.py --model DIR --audio speech.wav
    python benchmarks/streaming.py --preset tiny --noise 25

Four rows in one batch start at different steps, two of them on a used and reset state. See
README.md for the columns.
"""

import argparse
import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from common import (
    TIE,
    add_model_options,
    compare_codes,
    load_model,
    load_recording,
    machine,
    table,
    write_json,
)
from torch import Tensor

from catok import CausalAudioTokenizer

STARTS = (0, 1, 2, 5)  # the step at which each row begins
USED = (2, 3)  # rows that hear something else before their start and are then reset


@dataclass
class Row:
    """A recording `[C, T]` and its offline codes `[K, F]` and audio `[C, F * frame_size]`."""

    audio: Tensor
    codes: Tensor
    decoded: Tensor


def make_rows(model: CausalAudioTokenizer, audio: str | None, noise: float | None) -> list[Row]:
    """One row for each start: parts of one recording, or noise of several lengths."""
    generator = torch.Generator().manual_seed(0)
    if audio:
        whole = load_recording(audio, model)
        step = whole.shape[1] // 10
        signals = [whole[:, index * step :] for index in range(len(STARTS))]
    else:
        assert noise is not None
        samples = [round(noise * model.sample_rate * (1 - index / 10)) for index in range(4)]
        shapes = [(model.channels, length) for length in samples]
        signals = [0.1 * torch.randn(shape, generator=generator) for shape in shapes]
    rows = []
    for signal in signals:
        codes = model.encode(signal[None]).codes
        rows.append(Row(signal, codes[0], model.decode(codes)[0]))
    return rows


def stream(run, state, sources: list[Tensor], steps: int) -> tuple[list[Tensor], list[float]]:
    """Push every `[N, T_b]` source through `run` in pieces of `steps`, each row from its start on.

    Returns what each row gave from its start on, and the times of the steps in which all rows were
    active.
    """
    pieces = [-(-source.shape[1] // steps) for source in sources]
    given: list[list[Tensor]] = [[] for _ in sources]
    times = []
    for step in range(max(start + count for start, count in zip(STARTS, pieces, strict=True))):
        state.reset([row for row in USED if STARTS[row] == step] or torch.zeros(4).bool())
        chunk = torch.zeros(len(sources), sources[0].shape[0], steps, dtype=sources[0].dtype)
        running = torch.zeros(len(sources), dtype=torch.bool)
        for row, source in enumerate(sources):
            at = step - STARTS[row]
            running[row] = 0 <= at < pieces[row] or (at < 0 and row in USED)
            heard = sources[0] if at < 0 else source  # before its start: another row's beginning
            piece = heard[:, (step if at < 0 else at) * steps :][:, :steps]
            chunk[row, :, : piece.shape[1]] = piece
        begin = time.perf_counter()
        output, state = run(chunk, state, running)
        if running.all():
            times.append(time.perf_counter() - begin)
        for row in range(len(sources)):
            if 0 <= step - STARTS[row] < pieces[row]:
                given[row].append(output[row])
    return [torch.cat(parts, dim=-1) for parts in given], times


def decibels(expected: Tensor, got: Tensor) -> float:
    """Signal-to-noise ratio; infinite when equal."""
    error = float((expected - got).double().pow(2).sum())
    power = float(expected.double().pow(2).sum())
    return 10 * math.log10(power / error) if error else math.inf


def one_chunk_size(model: CausalAudioTokenizer, rows: list[Row], frames: int) -> dict[str, Any]:
    """Encode and decode all rows in steps of so many frames and compare with offline."""
    samples = frames * model.frame_size
    codes, encode_times = stream(
        model.encode_step, model.encoder_state(len(rows)), [row.audio for row in rows], samples
    )
    audio, decode_times = stream(
        model.decode_step, model.decoder_state(len(rows)), [row.codes for row in rows], frames
    )
    result: dict[str, Any] = {"chunk_frames": frames}
    result |= {"codes": 0, "different": 0, "frames": 0, "ties": 0, "widest_margin": 0.0}
    for row, got in zip(rows, codes, strict=True):
        counts = compare_codes(model, row.audio, row.codes, got[:, : row.codes.shape[1]])
        for key in ("codes", "different", "frames", "ties"):
            result[key] += counts[key]
        result["widest_margin"] = max(result["widest_margin"], counts["widest_margin"])
    pairs = [
        (row.decoded, got[:, : row.decoded.shape[1]]) for row, got in zip(rows, audio, strict=True)
    ]
    worst = min(decibels(*pair) for pair in pairs)
    result["decoder_snr_db"] = None if math.isinf(worst) else worst
    result["decoder_max_difference"] = max(float((a - b).abs().max()) for a, b in pairs)
    for side, times in (("encode", encode_times), ("decode", decode_times)):
        result[f"{side}_step_seconds"] = sorted(times)[len(times) // 2] if times else None
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_model_options(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--audio", help="a recording, or a .npy array at the model's rate")
    source.add_argument("--noise", type=float, help="seconds of seeded noise")
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 3, 10, 125])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    model = load_model(options.model, options.preset)
    rows = make_rows(model, options.audio, options.noise)
    results = [one_chunk_size(model, rows, frames) for frames in options.frames]
    lengths = ", ".join(f"{row.audio.shape[1] / model.sample_rate:.2f} s" for row in rows)
    name = options.model or f"{options.preset} (random weights)"
    print(f"{name}; {options.audio or 'noise'}: rows of {lengths}\n")
    header = ["frames per step", "codes", "different", "frames with one", "of these ties"]
    header += ["widest margin", "decoder SNR dB", "encode ms", "decode ms", "audio ms"]
    cells = []
    for result in results:
        cell = [result[k] for k in ("chunk_frames", "codes", "different", "frames", "ties")]
        cell.append(f"{result['widest_margin']:.1e}" if result["frames"] else "-")
        cell.append(result["decoder_snr_db"] or "equal")
        for side in ("encode", "decode"):
            seconds = result[f"{side}_step_seconds"]
            cell.append("-" if seconds is None else 1000 * seconds)
        cells.append([*cell, 1000 * result["chunk_frames"] / model.frame_rate])
    print(table(header, cells))
    setting = {"model": name, "audio": options.audio, "noise_seconds": options.noise}
    setting |= {"starts": STARTS, "reset_rows": USED, "tie_margin": TIE}
    write_json(
        options.out, {**setting, "machine": machine(options.threads), "chunk_sizes": results}
    )


if __name__ == "__main__":
    main()
