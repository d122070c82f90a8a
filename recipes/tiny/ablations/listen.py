"""A semantic head learns to listen to the codes of a codec that stays as it is.

Attention has to find the words in the sound before better codes can help it, and that takes more
passes over the texts than a codec can be trained for on a small machine. Codes do not change while
the codec is frozen: they are made once, and the head alone learns ten times as fast.
"""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from catok import CausalAudioTokenizer, load_audio
from catok.evaluation.run.recordings import Recording
from catok.training.semantic.config import SemanticConfig
from catok.training.semantic.head import SemanticHead


@dataclass(frozen=True)
class Spoken:
    """A recording's codes `[K, F]` int64 and its text."""

    codes: Tensor
    text: str


@torch.no_grad()
def encode_spoken(tok: CausalAudioTokenizer, recordings: Sequence[Recording]) -> list[Spoken]:
    """The codes of the recordings that have text."""
    made = []
    for recording in recordings:
        if not recording.text:
            continue
        audio, _ = load_audio(recording.path, sample_rate=tok.sample_rate, channels=tok.channels)
        made.append(Spoken(tok.encode(audio[None]).codes[0], recording.text))
    return made


def teach(
    tok: CausalAudioTokenizer,
    config: SemanticConfig,
    spoken: Sequence[Spoken],
    unseen: Sequence[Spoken],
    *,
    steps: int,
    log: Path,
    rows: int = 32,
    rate: float = 2e-3,
    seed: int = 0,
    every: int = 500,
) -> SemanticHead:
    """A new head after `steps` AdamW steps (cosine to a tenth) of `rows` recordings, each step with
    a random prefix of codebooks; the best by text of `unseen` at all codebooks, in nats per token.
    """
    torch.manual_seed(seed)
    head = SemanticHead(config, tok.config.quantizer.input_dim)
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.05)
    best, kept, heard = math.inf, head.state_dict(), {"loss": 0.0, "tokens": 0}
    began = time.monotonic()
    draw = torch.Generator().manual_seed(seed)
    for step, batch in enumerate(batches(spoken, rows, draw), 1):
        share = min(1.0, step / 200) * (0.55 + 0.45 * math.cos(math.pi * min(1.0, step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate * share
        depth = int(torch.randint(1, tok.num_quantizers + 1, (), generator=draw))
        with torch.autocast("cpu", torch.bfloat16):
            read = head(*latents(tok, batch, depth), [b.text for b in batch], ["asr"] * len(batch))
        optimizer.zero_grad()
        read.loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        heard["loss"] += read.token_loss_sum.item()
        heard["tokens"] += read.text_tokens
        if step % every == 0 or step == steps:
            own = loss_of(tok, head, unseen, tok.num_quantizers)
            line = {
                "step": step,
                "train": round(heard["loss"] / heard["tokens"], 4),
                "unseen": round(own, 4),
                "seconds": round(time.monotonic() - began, 1),
            }
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            heard = {"loss": 0.0, "tokens": 0}
            if own < best:
                best, kept = own, {k: v.clone() for k, v in head.state_dict().items()}
        if step == steps:
            break
    head.load_state_dict(kept)
    return head


def batches(spoken: Sequence[Spoken], rows: int, draw: torch.Generator) -> Iterator[list[Spoken]]:
    """Endless batches of recordings of like length, in random order."""
    while True:
        noise = torch.rand(len(spoken), generator=draw).tolist()
        order = sorted(range(len(spoken)), key=lambda i: spoken[i].codes.shape[1] + 8 * noise[i])
        groups = [order[at : at + rows] for at in range(0, len(order), rows)]
        for index in torch.randperm(len(groups), generator=draw).tolist():
            yield [spoken[i] for i in groups[index]]


@torch.no_grad()
def latents(
    tok: CausalAudioTokenizer, batch: Sequence[Spoken], depth: int
) -> tuple[Tensor, Tensor]:
    """Latents `[B, D, F]` of the first `depth` codebooks, and frames `[B]`."""
    codes = pad_sequence([one.codes[:depth].t() for one in batch], batch_first=True)
    lengths = torch.tensor([one.codes.shape[1] for one in batch])
    return tok.embed(codes.transpose(1, 2)), lengths


@torch.no_grad()
def loss_of(
    tok: CausalAudioTokenizer, head: SemanticHead, spoken: Sequence[Spoken], depth: int
) -> float:
    """Nats per text token."""
    head.eval()
    total = tokens = 0.0
    for at in range(0, len(spoken), 32):
        batch = spoken[at : at + 32]
        read = head(*latents(tok, batch, depth), [b.text for b in batch], ["asr"] * len(batch))
        total += float(read.token_loss_sum)
        tokens += read.text_tokens
    head.train()
    return total / tokens
