"""The paper's scaling studies at a small scale: width of the model and size of the batch.

    python -m research.scaling.run --data data/tiny/train.jsonl --test data/tiny/test.jsonl \
        --out runs/scaling
    python -m research.scaling.fit runs/scaling/points.json

Trains one model per width and batch for a fixed number of steps and measures each by number of
codebooks, as the paper does: a larger batch also hears more audio. Finished points are skipped, a
stopped one goes on. Writes OUT/wW-bB/result.json per point and OUT/points.json.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from research.study import listed, measure, train, write_json

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.modules.stack import StageConfig
from catok.modules.transformer import TransformerConfig
from catok.training import CodecTrainConfig, Corpora, load_recipe, override_recipe, read_cuts
from catok.training.codec.data import open_source
from catok.training.codec.init_from_data import initialize_from_audio

RECIPE = Path(__file__).with_name("train.toml")
HEAD = 32  # width of an attention head: every width must be a multiple
FIRST_CROPS = 24  # batches that first weights are taken from, as in `catok train`


@dataclass(frozen=True)
class Point:
    """One model of the grid."""

    width: int
    batch: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"w{self.width}-b{self.batch}"


def grid(widths: Sequence[int], batches: Sequence[int]) -> list[Point]:
    """All points, the cheap ones first."""
    points = [Point(width, batch) for width, batch in product(widths, batches)]
    return sorted(points, key=lambda p: p.width**2 * p.batch)


def resized(config: TokenizerConfig, width: int) -> TokenizerConfig:
    """The tokenizer with all Transformers `width` wide; frames, depth and quantizer stay.

    Every stage but the last passes on half its width, which the next patch doubles again. Raises
    ValueError on a width that is no multiple of 32.
    """
    if width < HEAD or width % HEAD:
        raise ValueError(f"a width must be a multiple of {HEAD}, got {width}")
    last = max(i for i, s in enumerate(config.encoder) if isinstance(s, TransformerConfig))
    stages: list[StageConfig] = []
    channels = 1
    for index, stage in enumerate(config.encoder):
        if isinstance(stage, TransformerConfig):
            stage = replace(
                stage,
                input_dim=channels,
                output_dim=stage.output_dim if index == last else width // 2,
                width=width,
                heads=width // HEAD,
                feedforward=4 * width,
            )
            channels = stage.output_dim
        else:
            channels *= stage.size
        stages.append(stage)
    return replace(config, encoder=tuple(stages), decoder=())


def parameters(tok: CausalAudioTokenizer) -> int:
    """Of encoder and decoder; the quantizer is the same everywhere."""
    return sum(p.numel() for side in (tok.encoder, tok.decoder) for p in side.parameters())


def first_model(config: CodecTrainConfig, width: int, corpora: Corpora, folder: Path) -> Path:
    """An untrained model of this width, begun as `catok train` begins one, in a folder."""
    torch.manual_seed(config.seed)
    tok = CausalAudioTokenizer(resized(TokenizerConfig.preset(config.architecture), width))
    if config.initialize == "principal":
        source = open_source(
            config.data,
            corpora,
            sample_rate=tok.sample_rate,
            channels=tok.channels,
            frame_size=tok.frame_size,
            seed=config.seed + 1,
        )
        audio = torch.cat([source.batch(step).audio for step in range(FIRST_CROPS)])
        initialize_from_audio(tok, audio, torch.Generator().manual_seed(config.seed))
    tok.save_pretrained(folder)
    return folder


def point_config(
    config: CodecTrainConfig, point: Point, model: Path, steps: int
) -> CodecTrainConfig:
    """The recipe of one point."""
    return replace(
        config,
        init_from=str(model),
        stages=(replace(config.stages[0], steps=steps),),
        data=replace(config.data, batch_size=point.batch),
    )


def run(point: Point, args: argparse.Namespace) -> dict[str, Any]:
    """Train and measure one point, unless that was done before."""
    out = Path(args.out)
    done = out / point.name / "result.json"
    if done.is_file():
        return json.loads(done.read_text())
    config = override_recipe(load_recipe(args.recipe), args.set)
    corpora: Corpora = [(read_cuts(args.data), None)]
    model = out / f"first-w{point.width}"
    if not (model / "model.safetensors").is_file():
        first_model(config, point.width, corpora, model)
    seconds = train(
        point_config(config, point, model, args.steps), corpora, out / point.name / "run"
    )
    tok = CausalAudioTokenizer.from_pretrained(out / point.name / "run" / "model")
    found = measure(
        tok, listed(args.test)[: args.listen], count=args.count, depths=args.depths, with_pesq=False
    )
    result = {
        "width": point.width,
        "batch": point.batch,
        "steps": args.steps,
        "parameters": parameters(tok),
        "seconds": sum(seconds.values()),
        **{key: found[key] for key in ("mean", "perplexity", "recordings")},
    }
    write_json(done, result)
    return result


def main(arguments: list[str] | None = None) -> None:
    """Run the grid and gather its points."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--data", required=True, help="training data, as `catok train --data`")
    add("--test", required=True, help="manifest of unseen speech")
    add("--out", required=True, help="folder of the points")
    add("--recipe", default=str(RECIPE), help="another recipe of one stage and with crops")
    add("--widths", type=int, nargs="+", default=[96, 128, 192, 256], help="%(default)s")
    add("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="%(default)s")
    add("--steps", type=int, default=150, help="of every point (%(default)s)")
    add("--depths", type=int, nargs="+", default=[1, 4, 8, 16, 32], help="%(default)s")
    add("--count", type=int, default=8, help="recordings of 2 s or more scored (%(default)s)")
    add("--listen", type=int, default=24, help="recordings to choose them from (%(default)s)")
    add("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    add("--set", nargs="+", default=[], help="KEY=VALUE for the recipe")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    results = []
    for point in grid(args.widths, args.batches):
        print(point.name, flush=True)
        results.append(run(point, args))
    write_json(Path(args.out) / "points.json", results)


if __name__ == "__main__":
    main()
