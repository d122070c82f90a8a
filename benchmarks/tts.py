"""Speech synthesis: time to the first audio, real-time factor, and batches.

    python benchmarks/tts.py --model DIR
    python benchmarks/tts.py --preset mini --tokenizer tiny --quantizers 1 2 4 8 --out FILE.json

See README.md for the columns.
"""

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import add_model_options, machine, table, write_json

from catok import CausalAudioTokenizer
from catok.lm import (
    ByteTokenizer,
    SamplingConfig,
    SpeechModel,
    SpeechRequest,
    Synthesizer,
    TokenLM,
    TokenLMConfig,
)

TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all."


def build(model: str | None, preset: str, tokenizer: str | None) -> Synthesizer:
    """A trained model, its ONNX graphs, or a preset with seeded random weights."""
    if model and (Path(model) / "onnx.json").exists():
        threads = torch.get_num_threads()
        return Synthesizer.from_pretrained(model, backend="onnx", threads=threads)
    if model:
        return Synthesizer.from_pretrained(model, tokenizer=tokenizer)
    torch.manual_seed(0)
    config = TokenLMConfig.preset(preset)
    codec = CausalAudioTokenizer.from_pretrained(tokenizer or "tiny")
    return Synthesizer(SpeechModel(TokenLM(config).eval(), ByteTokenizer(config), codec))


def one_stream(synth: Synthesizer, text: str, seed: int, how: dict[str, Any]) -> dict[str, float]:
    """Speak once, frame by frame: when the first audio came, and when all was there."""
    begun, processor = time.perf_counter(), time.process_time()
    first, samples = 0.0, 0
    for audio in synth.stream(SpeechRequest(text, seed=seed, **how)):
        samples += audio.shape[1]
        first = first or time.perf_counter() - begun
    total = time.perf_counter() - begun
    processor = time.process_time() - processor
    seconds = samples / synth.sample_rate
    after = max(seconds - 1 / synth.tokenizer.frame_rate, 1e-9)
    return {"first": first, "seconds": seconds, "rtf": total / seconds if seconds else 0.0} | {
        "later": (total - first) / after if samples else 0.0,
        "cpu": processor / seconds if seconds else 0.0,
    }


def streamed(
    synth: Synthesizer, text: str, depth: int, repeat: int, how: dict[str, Any]
) -> dict[str, Any]:
    """Medians over `repeat` readings with K codebooks."""
    how = how | {"num_quantizers": depth}
    one_stream(synth, text, 0, how | {"max_seconds": 0.2})  # warm-up
    runs = [one_stream(synth, text, seed, how) for seed in range(repeat)]
    spoken = [run for run in runs if run["seconds"]]
    if not spoken:
        raise SystemExit("the model ended every time before it said anything")
    median = {key: statistics.median(run[key] for run in spoken) for key in spoken[0]}
    return {
        "quantizers": depth,
        "readings": len(spoken),
        "audio_seconds": median["seconds"],
        "first_audio_seconds": median["first"],
        "real_time_factor": median["rtf"],
        "real_time_factor_after_first": median["later"],
        "processor_seconds_per_second": median["cpu"],
    }


def batched(synth: Synthesizer, text: str, rows: int, how: dict[str, Any]) -> dict[str, Any]:
    """Several readings at once, offline."""
    begun = time.perf_counter()
    speech = synth.synthesize([SpeechRequest(text, seed=row, **how) for row in range(rows)])
    elapsed = time.perf_counter() - begun
    seconds = sum(each.seconds for each in speech)
    return {"rows": rows, "audio_seconds": seconds, "audio_per_second": seconds / elapsed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_model_options(parser, preset="mini")
    parser.add_argument("--tokenizer", help="audio tokenizer of a released model or preset")
    parser.add_argument("--text", default=TEXT)
    parser.add_argument("--reference", help="a recording to clone")
    parser.add_argument("--quantizers", type=int, nargs="+", help="default: 1, 1/4, 1/2, all")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=5.0, help="limit of a reading")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    synth = build(options.model, options.preset, options.tokenizer)
    how: dict[str, Any] = {"max_seconds": options.seconds, "sampling": synth.sampling}
    if not options.model:  # random weights: never the one text token that ends
        how["sampling"] = replace(SamplingConfig(), text_temperature=0.0)
    voice = synth.encode_reference(options.reference) if options.reference else None
    count = synth.num_quantizers
    depths = options.quantizers or sorted({1, max(1, count // 4), max(1, count // 2), count})
    streams = [
        streamed(synth, options.text, depth, options.repeat, how | {"reference": voice})
        for depth in depths
    ]
    offline = [
        batched(
            synth,
            options.text,
            rows,
            how | {"reference": voice},
        )
        for rows in options.batch
    ]
    name = options.model or f"{options.preset} (random weights)"
    parameters = 0.0
    if isinstance(synth.model, TokenLM):
        parameters = sum(p.numel() for p in synth.model.parameters()) / 1e6
    rows = len(synth.prompt(SpeechRequest(options.text, voice)).tokens.conditional)
    size = f"{parameters:.1f} M parameters" if parameters else "ONNX graphs"
    print(f"{name}: {size}, prompt of {rows} rows\n")
    header = ["codebooks", "kbps", "audio s", "first audio ms", "RTF", "RTF after first", "CPU"]
    cells = []
    for each in streams:
        tok = synth.tokenizer
        kbps = each["quantizers"] * (tok.codebook_size - 1).bit_length() * tok.frame_rate / 1000
        cell = [each["quantizers"], kbps, each["audio_seconds"]]
        cell += [1000 * each["first_audio_seconds"], each["real_time_factor"]]
        cell += [each["real_time_factor_after_first"], each["processor_seconds_per_second"]]
        cells.append(cell)
    print(table(header, cells))
    print()
    header = ["texts at once", "audio s", "audio s per s"]
    print(table(header, [list(each.values()) for each in offline]))
    setting = {"model": name, "parameters_millions": parameters, "text": options.text}
    setting |= {"reference": options.reference, "prompt_rows": rows}
    result = {**setting, "machine": machine(options.threads)}
    write_json(options.out, result | {"streams": streams, "batches": offline})


if __name__ == "__main__":
    main()
