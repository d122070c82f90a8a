"""What to export, and in how many bits every linear layer is stored."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from catok.export.graphs import GRAPHS
from catok.export.linear import Precision
from catok.modules.transformer import TransformerConfig
from catok.tokenizer.config import TokenizerConfig

Dtype = Literal["float32", "float16", "int8", "int4"]
KINDS = ("self_attn.in_proj", "self_attn.out_proj", "ffn.0", "ffn.2")  # of a Transformer layer


@dataclass(frozen=True)
class Plan:
    """What to write: the graphs by name (None: all), and how linear layers are stored.

    `dtype` is that of all of them but for `exceptions`, by name.
    """

    dtype: Dtype = "float32"
    graphs: Collection[str] | None = None
    exceptions: tuple[tuple[str, Precision], ...] = ()

    def __post_init__(self) -> None:
        known = [name for names in GRAPHS.values() for name in names]
        unknown = sorted(set(self.graphs or ()) - set(known))
        if unknown or (self.graphs is not None and not self.graphs):
            raise ValueError(f"graphs must be some of {known}, got {unknown}")

    def precision(self, name: str) -> Precision:
        """Of the linear layer of that name."""
        return dict(self.exceptions).get(name, self.dtype)

    def of_half(self, half: str) -> list[str]:
        """The graphs to write of the encoder or the decoder."""
        return [name for name in GRAPHS[half] if self.graphs is None or name in self.graphs]

    @classmethod
    def default(
        cls, config: TokenizerConfig, dtype: Dtype, graphs: Collection[str] | None = None
    ) -> "Plan":
        """The plan for a dtype where nothing is measured.

        With "int8" and "int4" the projections at the ends of stages stay float32: they are one
        weight in a hundred and add the most noise (docs/onnx.md). With "int4" the largest stage of
        each half has 4 bits, the others 8, which are as fast where a frame has several steps.
        """
        exceptions: list[tuple[str, Precision]] = []
        if dtype in ("int8", "int4"):
            for half, stages in (("encoder", config.encoder), ("decoder", config.decoder)):
                sizes = {
                    index: stage.layers * stage.width * (2 * stage.width + stage.feedforward)
                    for index, stage in enumerate(stages)
                    if isinstance(stage, TransformerConfig)
                }
                largest = max(sizes, key=sizes.__getitem__)
                for index in sizes:
                    where = f"{half}.{index}"
                    exceptions.extend(
                        (f"{where}.{end}_proj", "float32") for end in ("input", "output")
                    )
                    stage = stages[index]
                    if dtype == "int4" and index != largest:
                        assert isinstance(stage, TransformerConfig)
                        exceptions.extend(
                            (f"{where}.transformer.layers.{layer}.{kind}", "int8")
                            for layer in range(stage.layers)
                            for kind in KINDS
                        )
        return cls(dtype, graphs, tuple(exceptions))
