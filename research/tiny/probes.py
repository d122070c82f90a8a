"""The probes: what is asked of an hour of training, one change at a time, by expected information.

Every probe is a difference to `recipes/tiny/train.toml`. `START` are the settings that most of them
share; what a name does not say is as there.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catok.tokenizer.config import PRESETS

NEVER = 10_000_000  # steps: the budget ends a probe, not its recipe
LOUDNESS = ['mel.magnitude="loudness"', "mel.normalized=true", "mel.floor=1e-6", "weights.mel=45"]
SPECTRUM = ["weights.compressed_spectrum=10", "compressed_spectrum.windows_per_step=1"]
WEIGHTED = ["weights.weighted_waveform=5"]
CHEAP = ["mel.scales_per_step=1"]
NEW = [*LOUDNESS, *CHEAP, *SPECTRUM, "weights.waveform=0"]
START = [*NEW, 'initialize="orthogonal"']

Stage = tuple[int, int]  # width, layers


@dataclass(frozen=True)
class Shape:
    """Transformer stages by patch, finest first: (width, layers) of encoder and decoder."""

    patches: tuple[int, ...]
    encoder: tuple[Stage, ...]
    decoder: tuple[Stage, ...]
    outputs: tuple[int, ...]  # of the encoder's stages; the last is the latents'
    layer_scale: float = 0.1
    inner_dim: int = 128
    window: float = 4.0

    def settings(self) -> dict[str, Any]:
        """As the JSON file of a tokenizer's configuration."""
        encoder: list[dict[str, Any]] = []
        decoder: list[dict[str, Any]] = []
        inside = 1
        for patch, mine, other, outside in zip(
            self.patches, self.encoder, self.decoder, self.outputs, strict=True
        ):
            encoder += [{"size": patch}, self._stage(inside * patch, outside, *mine)]
            decoder += [{"size": patch}, self._stage(outside, inside * patch, *other)]
            inside = outside
        preset = json.loads((PRESETS / "tiny.json").read_text())
        quantizer = preset["quantizer"] | {"input_dim": inside, "inner_dim": self.inner_dim}
        stages = {"encoder": encoder, "decoder": decoder[::-1], "quantizer": quantizer}
        return preset | stages

    def _stage(self, inside: int, outside: int, width: int, layers: int) -> dict[str, Any]:
        return {
            "input_dim": inside,
            "output_dim": outside,
            "width": width,
            "layers": layers,
            "heads": width // 64,
            "feedforward": 4 * width,
            "window": self.window,
            "layer_scale": self.layer_scale,
            "max_period": 10_000.0,
        }


PATCHES = (240, 2, 2, 2)
OUTPUTS = (128, 128, 160, 256)
WIDE = (256, 256, 320, 256)  # the paper's are (384, 384, 640, 768)
TODAY = ((256, 1), (256, 1), (256, 1), (320, 2))
EVEN = ((256, 2), (192, 2), (192, 2), (256, 3))


def today(layer_scale: float = 0.1, **changes: Any) -> Shape:
    """The preset's stages."""
    return Shape(PATCHES, TODAY, TODAY, OUTPUTS, layer_scale=layer_scale, **changes)


DEEP = Shape(
    PATCHES,
    encoder=((256, 1), (192, 2), (192, 2), (256, 3)),
    decoder=((256, 4), (192, 2), (192, 1), (256, 2)),
    outputs=OUTPUTS,
)
FINE = Shape(  # 200 Hz
    (120, 2, 2, 2, 2),
    encoder=((128, 1), (256, 1), (192, 1), (192, 2), (256, 3)),
    decoder=((128, 3), (256, 2), (192, 2), (192, 1), (256, 2)),
    outputs=(96, 128, 128, 160, 256),
)


@dataclass(frozen=True)
class Probe:
    """`asks`: what it is for; `set`: KEY=VALUE of the recipe; `shape`: None is the preset."""

    asks: str
    set: list[str] = field(default_factory=list)
    shape: Shape | None = None

    def overrides(self, folder: Path) -> list[str]:
        """KEY=VALUE of the whole recipe; writes tokenizer.json to `folder` if a shape asks so."""
        stages = f"stages=[{{steps={NEVER}}}]"
        shared = [stages, "optimizer.min_lr_ratio=1.0", "autocast=true", "save_minutes=1e9"]
        if self.shape is not None:
            (folder / "tokenizer.json").write_text(json.dumps(self.shape.settings()))
            shared.append(f'architecture="{folder / "tokenizer.json"}"')
        return [*shared, *self.set]


def adversarial(every: int, after: int) -> list[str]:
    """Discriminators in one step of `every`, `after` so many steps without them."""
    return [
        f"stages=[{{steps={after}}}, {{steps={NEVER}, adversarial=true}}]",
        'gan.discriminators="small"',
        "gan.crop_seconds=0.36",
        f"gan.every={every}",
        "weights.adversarial=1",
        "weights.feature=4",
    ]


PROBES: dict[str, Probe] = {
    "today": Probe("the recipe as it is: principal components, log mel, waveform L1"),
    "start": Probe("losses and start changed: what the others are compared with", START, today()),
    "deep": Probe("four blocks at 100 Hz in the decoder", START, DEEP),
    "wide": Probe("twice the dimensions between stages", START, Shape(PATCHES, TODAY, TODAY, WIDE)),
    "principal": Probe("principal components again, all else as start", NEW, today()),
    "adversarial": Probe(
        "discriminators from a quarter on, in one step of four",
        [*START, *adversarial(every=4, after=4000)],
        today(),
    ),
    "random": Probe(
        "PyTorch's random weights, codes at random", [*NEW, 'initialize="random"'], today()
    ),
    "batch": Probe("three times the batch", [*START, "data.batch_size=16"], today()),
    "scale 1": Probe("layer scale 1", START, today(1.0)),
    "scale 0.01": Probe("layer scale 0.01", START, today(0.01)),
    "half dropout": Probe(
        "half of the rows have all codebooks",
        [*START, "quantizer_dropout.probability=0.5"],
        today(),
    ),
    "200 Hz": Probe("a stage of 128 at 200 Hz, deep below", START, FINE),
    "even": Probe("2 + 2 + 2 + 3 blocks", START, Shape(PATCHES, EVEN, EVEN, OUTPUTS)),
    "weighted": Probe(
        "weighted waveform error, not compressed spectrum",
        [*LOUDNESS, *CHEAP, *WEIGHTED, "weights.waveform=0", 'initialize="orthogonal"'],
        today(),
    ),
    "both": Probe("compressed spectrum and weighted error", [*START, *WEIGHTED], today()),
    "short": Probe(
        "crops of 1.28 s, twice as many",
        [*START, "data.crop_seconds=1.28", "data.batch_size=10"],
        today(),
    ),
    "long": Probe(
        "crops of 5.12 s, 3 a batch",
        [*START, "data.crop_seconds=5.12", "data.batch_size=3"],
        today(),
    ),
    "inner": Probe("256 dimensions inside the quantizer", START, today(inner_dim=256)),
    "rate 2e-3": Probe(
        "twice the learning rate", [*START, "optimizer.learning_rate=2e-3"], today()
    ),
    "rate 5e-4": Probe("half the learning rate", [*START, "optimizer.learning_rate=5e-4"], today()),
    "narrow window": Probe("attention over 1 s", START, today(window=1.0)),
    "spectrum 30": Probe(
        "three times the weight of the compressed spectrum",
        [*START, "weights.compressed_spectrum=30"],
        today(),
    ),
    "commitment": Probe(
        "a quarter of the commitment", [*START, "weights.commitment=0.25"], today()
    ),
    "no mel": Probe(
        "compressed spectrum alone",
        [*START, "weights.mel=0", "weights.compressed_spectrum=30"],
        today(),
    ),
    "deep adversarial": Probe("both", [*START, *adversarial(every=4, after=3000)], DEEP),
}
