"""What every metric says of outputs whose quality is known beforehand.

    python -m research.sanity --out sanity.json

Scores the bundled recording (or --audio, with --text) against itself, itself with white noise 20 dB
below, white noise of the same power in its place, and itself one sample late. Prints a Markdown
table. Needs the extra "eval".
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok import load_audio
from catok.evaluation import Metric, MetricOptions, Sample, build_metrics
from catok.io.files import replacing

SPEECH = Path(__file__).parents[1] / "examples" / "speech.flac"
SAID = (
    "the person you are calling is not at their desk; I will try to locate them for you. press 1 "
    "to switch to playback mode, press 8 to truncate the file and start over"
)


def outputs(audio: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """`[C, T]` -> outputs of the same shape by what was done to them."""
    noise = torch.randn(audio.shape, generator=torch.Generator().manual_seed(seed))
    noise *= audio.norm() / noise.norm()
    return {
        "identity": audio,
        "noise at 20 dB SNR": audio + 0.1 * noise,
        "noise instead": noise,
        "one sample late": torch.nn.functional.pad(audio, (1, 0))[:, : audio.shape[1]],
    }


def score(metrics: Sequence[Metric], sample: Sample) -> dict[str, float | str]:
    """A figure per column, or the reason why a metric gives none."""
    figures: dict[str, float | str] = {}
    for metric in metrics:
        try:
            found = metric(sample)
            figures |= {k: value for k, value in found.items() if not isinstance(value, str)}
        except ValueError as error:
            figures |= {column.name: str(error) for column in metric.columns}
    return figures


def table(metrics: Sequence[Metric], rows: dict[str, dict[str, float | str]]) -> list[list[str]]:
    """One row per column of the metrics, counts left out; the first row is the head."""
    lines = [["figure", "better", *rows]]
    for column in (c for metric in metrics for c in metric.columns if c.better != "neither"):
        values = [row.get(column.name, "") for row in rows.values()]
        cells = [f"{v:.{column.digits}f}" if not isinstance(v, str) else "none" for v in values]
        unit = f", {column.unit}" if column.unit else ""
        lines.append([column.title + unit, column.better, *cells])
    return lines


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Score, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, default=SPEECH)
    parser.add_argument("--text", help="what is said in it, if it is not the bundled recording")
    parser.add_argument("--language", default="en")
    parser.add_argument("--metrics", nargs="+", default=["speech"])
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)

    audio, rate = load_audio(options.audio)
    text = options.text or (SAID if options.audio == SPEECH else None)
    metrics = build_metrics(
        options.metrics, MetricOptions(speaker="resemblyzer", language=options.language)
    )
    rows = {
        name: score(metrics, Sample(options.audio.stem, audio, output, rate, text))
        for name, output in outputs(audio).items()
    }
    lines = table(metrics, rows)
    print("| " + " | ".join(lines[0]) + " |\n" + "|---" * len(lines[0]) + "|")
    for line in lines[1:]:
        print("| " + " | ".join(line) + " |")
    for name, row in rows.items():
        for reason in dict.fromkeys(v for v in row.values() if isinstance(v, str)):
            print(f"{name}: {reason}", file=sys.stderr)
    if options.out:
        with replacing(options.out) as temporary:
            Path(temporary).write_text(json.dumps(rows, indent=1) + "\n")
    return rows


if __name__ == "__main__":
    main()
