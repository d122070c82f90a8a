"""What a semantic head reads off a codec's codes, in nats per token of the text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from catok import CausalAudioTokenizer
from catok.training import SemanticHead


@dataclass(frozen=True)
class Heard:
    """A recording's codes `[K, F]` int64 and its text."""

    codes: Tensor
    text: str


@torch.no_grad()
def latents(tok: CausalAudioTokenizer, batch: Sequence[Heard], depth: int) -> tuple[Tensor, Tensor]:
    """Latents `[B, D, F]` of the first `depth` codebooks, and frames `[B]`."""
    codes = pad_sequence([one.codes[:depth].t() for one in batch], batch_first=True)
    lengths = torch.tensor([one.codes.shape[1] for one in batch])
    return tok.embed(codes.transpose(1, 2)), lengths


@torch.no_grad()
def loss_of(
    tok: CausalAudioTokenizer, head: SemanticHead, heard: Sequence[Heard], depth: int
) -> float:
    """Nats per text token at `depth` codebooks."""
    training = head.training
    head.eval()
    total = tokens = 0.0
    for at in range(0, len(heard), 32):
        batch = heard[at : at + 32]
        tasks = [head.config.tasks[0]] * len(batch)
        read = head(*latents(tok, batch, depth), [b.text for b in batch], tasks)
        total += float(read.token_loss_sum)
        tokens += read.text_tokens
    head.train(training)
    return total / max(1.0, tokens)


def text_loss(
    tok: CausalAudioTokenizer, head: SemanticHead, heard: Sequence[Heard], depth: int
) -> dict[str, float]:
    """`loss_of` as "own"; "foreign": the same with each text read against the next recording's
    codes, which tells what the head owes to hearing.
    """
    others = [*heard[1:], *heard[:1]]
    foreign = [replace(one, codes=o.codes) for one, o in zip(heard, others, strict=True)]
    pairs = (("own", heard), ("foreign", foreign))
    return {name: round(loss_of(tok, head, those, depth), 4) for name, those in pairs}
