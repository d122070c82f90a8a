"""Synthesis with and without Progressive Sequence Dropout, at every bitrate (paper 6.1, figure 3).

    python -m research.psd.run --data data/tiny/train.jsonl --test data/tiny/test.jsonl \
        --language en --out runs/psd --steps 20000 --threads 1

Trains a recipe with dropout in every step ("full") and in none ("none") for as many steps, on the
same batches, then lets both speak the test's texts in the voices of other recordings of the test,
with all codebooks and with a half, a quarter and an eighth of them. A finished run is skipped, a
stopped one goes on. With --valid, the loss on unseen speech too, which tells prefixes apart long
before a model can be understood.
Writes OUT/NAME/rows.jsonl and OUT/NAME/result.json, and OUT/psd.json and OUT/psd.md over both.
Steps are equal, time is not, because short prefixes are cheaper: the table has both.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from research.study import markdown, write_json

from catok.data.recordings import read_recordings
from catok.evaluation import (
    Metric,
    MetricOptions,
    Transcriber,
    TTSItem,
    build_metrics,
    build_transcriber,
    score_tts,
    summarize,
)
from catok.lm import SamplingConfig, SpeechConfig, SpeechRequest, Synthesizer
from catok.training import LMTrainConfig, LMTrainer, build_lm_networks, open_corpus, read_recipe

RECIPE = Path(__file__).parents[2] / "recipes" / "lm" / "tts-small.toml"
LABELS = {"full": "dropout in every step", "none": "no dropout"}
PROBABILITIES = {"full": 1.0, "none": 0.0}
LOSS = "valid_tts_"  # and a number of codebooks


def variant(recipe: str | Path, name: str, steps: int, overrides: list[str]) -> LMTrainConfig:
    """A recipe with the named probability and so many steps."""
    config = LMTrainConfig.from_dict(read_recipe(recipe, overrides))
    dropout = replace(config.sequence_dropout, probability=PROBABILITIES[name])
    return replace(config, steps=steps, sequence_dropout=dropout)


def train(config: LMTrainConfig, data: str, valid: str | None, folder: Path) -> dict[str, float]:
    """Train in `folder` or go on there; wall seconds are added up in seconds.json.

    Returns the losses on `valid` by number of codebooks, if it is given. Ends the program when the
    run is stopped by Ctrl-C or SIGTERM.
    """
    torch.manual_seed(config.seed)
    networks = build_lm_networks(config)
    corpus = open_corpus(data, networks, config.data)
    unseen = None if valid is None else open_corpus(valid, networks, config.data)
    trainer = LMTrainer(config, networks, corpus, unseen, folder, report=print)
    clock, began = folder / "seconds.json", time.monotonic()
    if trainer.step < config.steps:
        trainer.run()
        before = json.loads(clock.read_text()) if clock.is_file() else 0.0
        clock.write_text(json.dumps(round(before + time.monotonic() - began, 1)))
    if trainer.step < config.steps:
        raise SystemExit(f"stopped at step {trainer.step}; the same command goes on")
    found = {} if trainer.validator is None else trainer.validator.measure()
    return {name.removeprefix(LOSS): v for name, v in found.items() if name.startswith(LOSS)}


def requests(manifest: str, language: str, count: int, longest: int) -> list[TTSItem]:
    """The first `count` texts of at most `longest` characters, each with another recording of its
    voice as prompt.
    """
    spoken = [
        r
        for r in read_recordings(manifest)
        if r.audio and r.text and r.speaker and r.language in (None, language)
    ]
    found = []
    for index, recording in enumerate(spoken):
        others = [r for r in spoken[index + 1 :] + spoken[:index] if r.speaker == recording.speaker]
        if not others or len(recording.text or "") > longest:
            continue
        prompt = others[0]
        assert recording.audio and recording.text and prompt.audio and prompt.text
        found.append(
            TTSItem(
                id=f"{len(found):04d}-{recording.audio.stem}",
                text=recording.text,
                language=language,
                prompt_audio=prompt.audio,
                prompt_text=prompt.text,
            )
        )
    if not found:
        raise SystemExit(f"{manifest} has no texts in {language!r} with two recordings of a voice")
    return found[:count]


def speak(
    synthesizer: Synthesizer,
    items: Sequence[TTSItem],
    depth: int,
    transcriber: Transcriber,
    metrics: Sequence[Metric],
    args: argparse.Namespace,
    language: str | None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary of all items at `depth` codebooks, and a row for each; `language` is told."""
    seeds = {item.id: number for number, item in enumerate(items)}
    sampling = SamplingConfig(
        text_temperature=0.0,
        audio_temperature=args.temperature,
        audio_repetition_penalty=1.0,
        restrict_text=True,
    )

    def synthesise(item: TTSItem) -> tuple[torch.Tensor, int] | None:
        request = SpeechRequest(
            item.text,
            item.prompt_audio,
            mode="clone",
            language=language,
            num_quantizers=depth,
            sampling=sampling,
            seed=seeds[item.id],
            max_seconds=args.max_seconds,
        )
        (speech,) = synthesizer.synthesize([request])
        return (speech.audio, speech.sample_rate) if speech.audio.shape[1] else None

    scored = list(score_tts(items, synthesise, transcriber, metrics))
    return summarize(scored)[0], [{"codebooks": depth} | row.as_row() for row in scored]


def run(
    name: str, args: argparse.Namespace, transcriber: Transcriber, metrics: Sequence[Metric]
) -> dict[str, Any]:
    """Train and measure one, unless that was done before."""
    folder = Path(args.out) / name
    done = folder / "result.json"
    if done.is_file():
        return json.loads(done.read_text())
    config = variant(args.recipe, name, args.steps, args.set)
    losses = train(config, args.data, args.valid, folder)
    synthesizer = Synthesizer.from_pretrained(folder / "model")
    speech = SpeechConfig.load(folder / "model")
    language = args.language if speech and args.language in speech.languages else None
    n_vq = synthesizer.num_quantizers
    depths = sorted({max(1, n_vq // part) for part in (1, 2, 4, 8)}, reverse=True)
    items = requests(args.test, args.language, args.count, config.data.max_text)
    summaries, rows = {}, []
    for depth in depths:
        summaries[str(depth)], found = speak(
            synthesizer, items, depth, transcriber, metrics, args, language
        )
        rows += found
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = {
        "name": name,
        "steps": config.steps,
        "seconds": json.loads((folder / "seconds.json").read_text()),
        "losses": losses,
        "utterances": len(items),
        "codebooks": summaries,
    }
    write_json(done, result)
    return result


def table(results: Sequence[dict[str, Any]]) -> str:
    """One line per run and number of codebooks."""
    rows: list[list[object]] = [
        ["", "steps", "seconds", "codebooks", "loss", "WER or CER, %", "SIM"]
    ]
    for result in results:
        for depth, summary in result["codebooks"].items():
            facts = [LABELS[result["name"]], result["steps"], f"{result['seconds']:.0f}", depth]
            facts.append(_figure(result.get("losses", {}), depth, 2))
            rows.append([*facts, _figure(summary, "mean_of_all", 1), _figure(summary, "sim", 3)])
    return markdown(rows)


def _figure(summary: dict[str, Any], name: str, digits: int) -> str:
    value = summary.get(name)
    return "-" if value is None else f"{value:.{digits}f}"


def main(arguments: list[str] | None = None) -> None:
    """Run what is asked for, then write the table of what is finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="training manifest, as `catok train-lm`")
    parser.add_argument("--valid", help="manifest of unseen speech, for losses by codebooks")
    parser.add_argument("--test", required=True, help="manifest of unseen speech with text")
    parser.add_argument("--language", default="en", help="of the texts to speak (%(default)s)")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--recipe", default=RECIPE, help="of both runs (tts-small.toml)")
    parser.add_argument("--steps", type=int, default=20_000, help="of each run (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=list(LABELS), default=list(LABELS))
    parser.add_argument("--count", type=int, default=50, help="texts to speak (%(default)s)")
    parser.add_argument("--temperature", type=float, default=0.6, help="of codes (%(default)s)")
    parser.add_argument("--max-seconds", type=float, default=20.0, help="of speech (%(default)s)")
    parser.add_argument("--asr", help="transcriber, as `catok score` takes it")
    parser.add_argument(
        "--metrics", nargs="*", default=["speaker"], help="besides words (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    parser.add_argument("--set", nargs="+", default=[], help="KEY=VALUE for both recipes")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    transcriber = build_transcriber(args.asr)
    metrics = build_metrics(args.metrics, MetricOptions(speaker="resemblyzer"))
    for name in args.only:
        print(name, flush=True)
        run(name, args, transcriber, metrics)
    files = [Path(args.out) / name / "result.json" for name in LABELS]
    results = [json.loads(file.read_text()) for file in files if file.is_file()]
    write_json(Path(args.out) / "psd.json", results)
    (Path(args.out) / "psd.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
