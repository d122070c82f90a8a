"""Speed and memory of our tokenizers and of other neural codecs, on the same audio.

    python benchmarks/peers.py --seconds 10
    python benchmarks/peers.py --models 24khz --seconds 4     # 7 GB

Every codec has a process of its own, one thread and float32; times are processor time. Weights are
random, except those of "tiny". See README.md for the columns.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import machine, table, write_json
from length import MIB, reset_peak, status
from peer_codecs import OURS, PEERS, Codec, build, count_weights

SPEECH = Path(__file__).parents[1] / "examples" / "speech.flac"
MODELS = ("tiny", "nano", "encodec", "dac", "snac", "mimi", "mimi-moshi")
STEP = 0.08  # seconds of audio per streaming step


def measure(name: str, seconds: float, threads: int, repeat: int) -> dict[str, Any]:
    """All figures of one codec, in this process."""
    import torch

    from catok.audio import load_audio

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.set_flush_denormal(True)  # random weights make small numbers, trained ones do not
    codec = build(name)
    speech = load_audio(SPEECH, sample_rate=codec.sample_rate, channels=codec.channels)[0][None]
    step = round(STEP * codec.sample_rate)
    samples = max(1, round(seconds / STEP)) * step
    audio = speech.repeat(1, 1, -(-samples // speech.shape[2]))[..., :samples]
    result: dict[str, Any] = {
        "model": name,
        "seconds": samples / codec.sample_rate,
        "weights": count_weights(codec.network),
        "kbps": codec.kbps,
        "note": codec.note,
    }
    with torch.inference_mode():
        codec.decode(codec.encode(audio[..., : 12 * step]))  # the first call pays for the kernels
        result["resident_bytes"] = reset_peak()
        packed, result["encode"] = best(lambda: codec.encode(audio), repeat)
        made, result["decode"] = best(lambda: codec.decode(packed), repeat)
        if codec.stream is not None:
            result["stream"] = streamed(codec, audio, codec.codes(packed), made, step)
    return result


def best(call: Callable[[], Any], repeat: int) -> tuple[Any, dict[str, float]]:
    """What the call gives, its shortest times, and its highest memory above the start."""
    times, cpu, output = [], [], None
    base = reset_peak()
    for _ in range(repeat):
        output = None
        start, cpu_start = time.perf_counter(), time.process_time()
        output = call()
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    peak = status("VmHWM")
    return output, {
        "time": min(times),
        "cpu_time": min(cpu),
        "peak_bytes": peak - base,
        "process_peak_bytes": peak,
    }


def streamed(codec: Codec, audio: Any, codes: Any, made: Any, step: int) -> dict[str, Any]:
    """Times of the steps, and how what they give differs from the whole."""
    import torch

    assert codec.stream is not None
    result: dict[str, Any] = {}
    pieces = {"encode": audio.split(step, dim=2), "decode": codes.split(1, dim=2)}
    runs = codec.stream()
    given: dict[str, Any] = {}
    for side, run in zip(("encode", "decode"), runs, strict=True):
        outputs, times = [], []
        for piece in pieces[side]:
            start = time.process_time()
            outputs.append(run(piece))
            times.append(time.process_time() - start)
        given[side] = torch.cat(outputs, dim=2)
        times = sorted(times[min(5, len(times) // 2) :])  # the first ones set up
        result[f"{side}_median"] = statistics.median(times)
        result[f"{side}_p95"] = times[int(0.95 * len(times))]
    result["codes_equal"] = float((given["encode"] == codes).float().mean())
    noise = (given["decode"] - made).double().square().mean()
    power = made.double().square().mean()
    result["decoder_snr_db"] = float(10 * (power / noise).log10()) if noise > 0 else None
    return result


def in_subprocess(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """`measure` in a new process; the last line of its error where it fails."""
    command = [sys.executable, __file__, "--worker", name, "--seconds", str(options.seconds)]
    command += ["--threads", str(options.threads), "--repeat", str(options.repeat)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"model": name, "error": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def cells(row: dict[str, Any]) -> list[Any]:
    """A row of the table."""
    stream = row.get("stream")
    shown = [row["model"], row["weights"] / 1e6, row["kbps"]]
    shown += [row[side]["cpu_time"] / row["seconds"] for side in ("encode", "decode")]
    shown += [row["resident_bytes"] / MIB]
    shown += [row[side]["peak_bytes"] / MIB for side in ("encode", "decode")]
    if stream is None:
        return [*shown, "-", "-", "-", row["note"]]
    snr = stream["decoder_snr_db"]
    return [
        *shown,
        *(1000 * stream[f"{side}_median"] for side in ("encode", "decode")),
        f"{100 * stream['codes_equal']:.2f} %",
        "equal" if snr is None else f"{snr:.0f} dB",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=(*OURS, *PEERS), default=MODELS)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", default="benchmarks/results/peers.json", help="JSON file")
    parser.add_argument("--worker", choices=(*OURS, *PEERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        args = options.seconds, options.threads, options.repeat
        print(json.dumps(measure(options.worker, *args)))
        return
    rows = []
    for name in options.models:
        rows.append(in_subprocess(name, options))
        print(f"{name}: {rows[-1].get('error', 'done')}", file=sys.stderr)
    header = ["codec", "weights M", "kbps", "encode RTF", "decode RTF", "resident MiB"]
    header += ["encode + MiB", "decode + MiB", "encode step ms", "decode step ms"]
    header += ["step codes", "step audio"]
    print(table(header, [cells(row) for row in rows if "error" not in row]))
    result = {"audio": SPEECH.name, "step_seconds": STEP, "machine": machine(options.threads)}
    write_json(options.out, {**result, "codecs": rows})


if __name__ == "__main__":
    main()
