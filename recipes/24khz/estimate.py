"""What a recipe's run costs: operations, GPU-hours and memory, counted from its configuration.

    python recipes/24khz/estimate.py recipes/24khz/train.toml --gpus 64

Prints Markdown. Networks are built without memory ("meta" tensors) and every Linear and convolution
reports its multiply-adds; attention, quantizer and language model are counted by formula. Nothing
is downloaded: a language model named by the recipe is taken to be Qwen2.5-0.5B.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.modules.transformer import Block, TransformerStage
from catok.training import (
    CodecTrainConfig,
    DiscriminatorConfig,
    Discriminators,
    SemanticConfig,
    TrainStage,
    load_recipe,
)

QWEN = SemanticConfig.preset("qwen2.5-0.5b-scratch")
BYTE_ROWS = 258  # vocabulary of a head that writes bytes

FORWARD_BACKWARD = 3  # the backward pass multiplies twice what the forward pass does
RECOMPUTED = 1  # with checkpointing the backward pass begins with another forward pass
# Generator: real maps, fake maps, and the gradient to the audio only. Discriminators: real and fake
# maps, and the gradients to maps and weights of both.
JUDGE_PASSES = (1 + 1 + 1) + (2 + 4)

OPTIMIZER_BYTES = 16  # float32 weight, gradient and two moments
BLOCK_BYTES = 60  # per token and width that a block keeps for backward under bf16 autocast, about
MAP_BYTES = 4  # per number of a feature map: bf16 before and after its LeakyReLU
LOGIT_TOKENS = 1024  # text tokens whose logits exist at once


@dataclass(frozen=True)
class Cost:
    """Of one second of audio: `forward` operations by part."""

    codec: float
    semantic: float
    judges: float


@dataclass
class Counted:
    """What hooks saw: `operations` (two per multiply-add) and `outputs`, numbers given out."""

    operations: float = 0.0
    outputs: float = 0.0


@contextmanager
def counting(module: nn.Module) -> Iterator[Counted]:
    """Within it the Linears and convolutions of `module` are counted."""
    seen = Counted()

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, Tensor)
        seen.operations += 2.0 * weight[0].numel() * output.numel()
        seen.outputs += output.numel()

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d)
    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, kinds)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def stages_of(codec: nn.Module) -> list[TransformerStage]:
    """Encoder's and decoder's Transformer stages."""
    return [module for module in codec.modules() if isinstance(module, TransformerStage)]


def tokens_per_second(stage: TransformerStage) -> float:
    """A stage's rate, from its window in tokens and in seconds."""
    return stage.window / stage.config.window


def attention_operations(stage: TransformerStage, seconds: float) -> float:
    """Scores and sums of `seconds` of audio: each query with the keys it may see."""
    tokens = round(tokens_per_second(stage) * seconds)
    pairs = sum(min(index + 1, stage.window) for index in range(tokens))
    return 4.0 * pairs * stage.config.width * stage.config.layers


def codec_operations(codec: CausalAudioTokenizer, seconds: float) -> float:
    """Forward operations of encoder, quantizer and decoder on `seconds` of audio."""
    frames = round(seconds * codec.frame_rate)
    audio = torch.empty(1, codec.channels, frames * codec.frame_size, device="meta")
    with counting(codec) as seen:
        codec.decoder(codec.encoder(codec.interleave(audio)))
    attention = sum(attention_operations(stage, seconds) for stage in stages_of(codec))
    q = codec.config.quantizer
    per_book = 2 * q.inner_dim * q.codebook_dim + q.codebook_size * q.codebook_dim
    per_frame = 2 * q.input_dim * q.inner_dim + q.num_quantizers * per_book
    return seen.operations + attention + 2.0 * frames * per_frame


def semantic_sizes(config: SemanticConfig) -> tuple[int, int]:
    """Parameters of the language model's layers, and of its token table."""
    width, inner = config.hidden_size, config.intermediate_size
    side = width * config.key_value_heads // config.heads
    attention = 2 * width * width + 2 * width * side + width + 2 * side  # q, k, v have biases
    layers = config.layers * (attention + 3 * width * inner + 2 * width) + width
    return layers, width * (config.vocab_size or BYTE_ROWS)


def semantic_operations(config: SemanticConfig, frame_rate: float, text: float) -> float:
    """Forward operations per second of audio that has `text` tokens a second."""
    layers, table = semantic_sizes(config)
    return 2.0 * (layers * (frame_rate + text) + table * text)


def judge_counts(config: DiscriminatorConfig, rate: int, channels: int) -> Counted:
    """Of the discriminators on one second of audio, forward."""
    with torch.device("meta"):
        judges = Discriminators(config)
    with counting(judges) as seen:
        judges(torch.empty(1, channels, rate, device="meta"))
    return seen


def parameters(module: nn.Module) -> int:
    """How many there are."""
    return sum(p.numel() for p in module.parameters())


class Estimate:
    """The counts of one recipe on `gpus` devices."""

    def __init__(self, config: CodecTrainConfig, gpus: int, text_share: float, text: float) -> None:
        self.config, self.gpus = config, gpus
        self.seconds = config.data.crop_seconds
        with torch.device("meta"):
            self.codec = CausalAudioTokenizer(TokenizerConfig.preset(config.architecture))
            judges = DiscriminatorConfig.preset(config.gan.discriminators)
            self.judges = Discriminators(judges)
        self.semantic = config.semantic if config.weights["semantic"] else None
        if self.semantic is not None and self.semantic.language_model:
            self.semantic = QWEN
        self.maps = judge_counts(self.judges.config, self.codec.sample_rate, self.codec.channels)
        self.cost = Cost(
            codec=codec_operations(self.codec, self.seconds) / self.seconds,
            semantic=text_share * semantic_operations(self.semantic, self.codec.frame_rate, text)
            if self.semantic
            else 0.0,
            judges=self.maps.operations,
        )

    def rows(self, stage: TrainStage) -> int:
        """Of all devices, per step."""
        per_device = stage.batch_size or self.config.data.batch_size
        return self.gpus * self.config.accumulate * per_device

    def trained(self, stage: TrainStage) -> Cost:
        """Operations of training on one second of audio, by part."""
        config = self.config
        lm = bool(config.semantic and config.semantic.gradient_checkpointing)
        judged = min(config.gan.crop_seconds or self.seconds, self.seconds) / self.seconds
        return Cost(
            codec=self.cost.codec * (FORWARD_BACKWARD + RECOMPUTED * config.checkpoint_activations),
            semantic=self.cost.semantic * (FORWARD_BACKWARD + RECOMPUTED * lm),
            judges=self.cost.judges * JUDGE_PASSES * judged * stage.adversarial,
        )

    def operations(self, stage: TrainStage) -> float:
        """Of a whole stage."""
        cost = self.trained(stage)
        per_second = cost.codec + cost.semantic + cost.judges
        return per_second * self.seconds * self.rows(stage) * stage.steps

    def memory(self, stage: TrainStage) -> dict[str, float]:
        """Bytes per device by kind; an estimate of the larger items, not of everything."""
        config, codec = self.config, self.codec
        rows = stage.batch_size or config.data.batch_size
        layers, table = semantic_sizes(self.semantic) if self.semantic else (0, 0)
        total = parameters(codec) + layers + table
        blocks = sum(parameters(m) for m in codec.modules() if isinstance(m, Block))
        sharded = config.parallel == "fsdp" and self.gpus > 1
        per_width = sum(
            tokens_per_second(s) * s.config.width * s.config.layers for s in stages_of(codec)
        )
        kept = 4 if config.checkpoint_activations else BLOCK_BYTES
        pair = 2 * rows * min(config.gan.crop_seconds or self.seconds, self.seconds)
        return {
            "weights, gradients, moments": OPTIMIZER_BYTES
            * (total / self.gpus if sharded else total),
            # FSDP's root unit (all but the blocks) stays gathered, with its gradients
            "gathered weights": 8.0 * (total - blocks) if sharded else 0.0,
            "discriminators": float(OPTIMIZER_BYTES * parameters(self.judges) * stage.adversarial),
            "kept activations": kept * per_width * self.seconds * rows,
            "feature maps": MAP_BYTES * self.maps.outputs * pair * stage.adversarial,
            "logits": 12.0 * LOGIT_TOKENS * table / self.semantic.hidden_size
            if self.semantic
            else 0.0,
        }


def table(rows: list[list[str]]) -> str:
    """Markdown; the first row is the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def parts_table(e: Estimate) -> str:
    """Per part: parameters and operations."""
    cost, lm = e.cost, sum(semantic_sizes(e.semantic)) if e.semantic else 0
    head = ["part", "parameters", "GFLOP forward", *(f"in stage {i + 1}" for i in _numbers(e))]
    trained = [e.trained(stage) for stage in e.config.stages]
    lines = [
        ("codec", parameters(e.codec), cost.codec, [t.codec for t in trained]),
        ("language model", lm, cost.semantic, [t.semantic for t in trained]),
        ("discriminators", parameters(e.judges), cost.judges, [t.judges for t in trained]),
    ]
    rows = [
        [name, f"{size / 1e6:,.1f} M", f"{one / 1e9:.1f}", *(f"{x / 1e9:.0f}" for x in all_)]
        for name, size, one, all_ in lines
        if size
    ]
    return table([head, *rows])


def stages_table(e: Estimate, tflops: float, mfu: float) -> str:
    """Per stage: what is heard, computed and waited for."""
    rows: list[list[str]] = [["", *(f"stage {i + 1}" for i in _numbers(e)), "together"]]
    stages = e.config.stages
    seconds = [e.seconds * e.rows(stage) for stage in stages]
    heard = [s * stage.steps / 3600 for s, stage in zip(seconds, stages, strict=True)]
    work = [e.operations(stage) for stage in stages]
    hours = [w / (tflops * 1e12 * mfu) / 3600 for w in work]
    rows.append(["steps", *(f"{stage.steps:,}" for stage in stages), f"{e.config.steps:,}"])
    rows.append(["rows per step", *(f"{e.rows(stage):,}" for stage in stages), ""])
    rows.append(["audio per step", *(f"{s / 3600:.2f} h" for s in seconds), ""])
    rows.append(["audio heard", *(f"{h:,.0f} h" for h in (*heard, sum(heard)))])
    rows.append(["operations", *(f"{w:.2e}" for w in (*work, sum(work)))])
    rows.append(["GPU-hours", *(f"{h:,.0f}" for h in (*hours, sum(hours)))])
    days = [h / e.gpus / 24 for h in hours]
    rows.append([f"days on {e.gpus}", *(f"{d:.1f}" for d in (*days, sum(days)))])
    return table(rows)


def memory_table(e: Estimate) -> str:
    """GB per device by kind and stage."""
    stages = [e.memory(stage) for stage in e.config.stages]
    rows = [[name, *(f"{s[name] / 1e9:.2f}" for s in stages)] for name in stages[0]]
    rows = [row for row in rows if any(float(x) for x in row[1:])]
    rows.append(["together", *(f"{sum(s.values()) / 1e9:.1f}" for s in stages)])
    return table([["GB per GPU", *(f"stage {i + 1}" for i in _numbers(e))], *rows])


def _numbers(e: Estimate) -> range:
    return range(len(e.config.stages))


def main(arguments: list[str] | None = None) -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", help="a TOML recipe with crops and a preset")
    parser.add_argument("--gpus", type=int, default=64, help="devices (%(default)s)")
    parser.add_argument("--tflops", type=float, default=989.0, help="peak in bf16 (%(default)s)")
    parser.add_argument("--mfu", type=float, default=0.35, help="share of it in use (%(default)s)")
    parser.add_argument(
        "--text-share", type=float, default=0.5, help="share of audio with text (%(default)s)"
    )
    parser.add_argument(
        "--text-rate", type=float, default=3.3, help="its tokens per second (%(default)s)"
    )
    args = parser.parse_args(arguments)
    config = load_recipe(args.recipe)
    if config.data.mode != "crops":
        parser.error("only recipes with crops have a fixed number of rows")
    estimate = Estimate(config, args.gpus, args.text_share, args.text_rate)
    print(f"Per second of audio, in rows of {estimate.seconds:g} s:\n\n{parts_table(estimate)}\n")
    print(f"{stages_table(estimate, args.tflops, args.mfu)}\n")
    print(memory_table(estimate))


if __name__ == "__main__":
    main()
