"""Generating codes, a batch at a time, frame by frame.

Source: `docs/spec/tts-layout.md` (c) 7, (e) and (g).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.io.numbers import check_whole_number
from catok.lm.interface import BaseTokenLM
from catok.lm.repetition_history import RepetitionHistory
from catok.lm.sampler import Sampler, check_seed, draw_seeds
from catok.lm.sampling import SamplingConfig
from catok.lm.tokens import pad_tokens
from catok.tokenizer.checks import check_quantizers

MAX_FRAMES = 3000  # four minutes at 12.5 frames per second


@dataclass(frozen=True)
class GeneratedFrame:
    """One step of a batch: `codes` `[A, K]` int64 of the prompts numbered in `indices` (A of them).

    `ended`: prompts that ended by themselves in this step; they give no frame here or later.
    """

    indices: tuple[int, ...]
    codes: Tensor
    ended: tuple[int, ...]


@dataclass(frozen=True)
class Generated:
    """New codes `[K, F]` int64 of one prompt; `ended` is False when the frame limit cut it off."""

    codes: Tensor
    ended: bool


@torch.no_grad()
def generate_frames(
    model: BaseTokenLM,
    prompts: Sequence[Tensor],
    *,
    num_quantizers: int | None = None,
    sampling: SamplingConfig | None = None,
    max_frames: int = MAX_FRAMES,
    seeds: Sequence[int] | None = None,
    unconditional: Sequence[Tensor] | None = None,
) -> Iterator[GeneratedFrame]:
    """Yield each frame as soon as it is chosen; stops when all prompts have ended.

    `prompts`: tokens `[T, 1 + n_vq]` each, from `PromptBuilder`. Only the first `num_quantizers`
    codebooks are read and chosen. `seeds`: one per prompt, drawn anew if None; a prompt's result
    depends on its own seed, not on its neighbours (but for rounding). `unconditional`: the same
    prompts without the text to be spoken, for `sampling.guidance`. The step in which the text
    channel says "end" is no frame: its codes are dropped. Raises ValueError on arguments that do
    not fit.
    """
    num_quantizers = check_quantizers(num_quantizers, model.config.n_vq)
    check_whole_number("max_frames", max_frames, at_least=1)
    seeds = draw_seeds(len(prompts)) if seeds is None else [check_seed(seed) for seed in seeds]
    if len(seeds) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts need as many seeds, got {len(seeds)}")
    sampling = sampling or SamplingConfig()
    second: Sequence[Tensor] = []  # guidance runs a second row beside each row
    if sampling.guidance != 1:
        if unconditional is None or len(unconditional) != len(prompts):
            raise ValueError("guidance needs every prompt without its text too: give unconditional")
        second = unconditional
    copies = 2 if second else 1
    tokens, mask = pad_tokens([*prompts, *second], model.config)
    tokens, mask = tokens.to(model.device), mask.to(model.device)
    sampler = Sampler(sampling, model.config, seeds)
    history = RepetitionHistory(
        tokens[: len(prompts)], num_quantizers, model.config.audio_vocab_size + 1
    )
    alive = list(range(len(prompts)))
    state = None
    for _ in range(max_frames):
        hidden, state = model.temporal(tokens, mask, state, num_quantizers)
        assert state is not None
        chosen = model.sample_frame(
            hidden[:, -1], num_quantizers, sampler, history, sampling.guidance
        )
        over = (chosen[:, 0] == model.config.audio_end_token_id).tolist()
        kept = [i for i, done in enumerate(over) if not done]
        ended = tuple(alive[i] for i, done in enumerate(over) if done)
        if ended:
            index = torch.tensor(kept, dtype=torch.int64, device=model.device)
            both = torch.cat([index + copy * len(chosen) for copy in range(copies)])
            chosen, state = chosen[index], state.select(both)
            history.select(index)
            sampler.select(kept)
            alive = [alive[i] for i in kept]
        yield GeneratedFrame(tuple(alive), chosen[:, 1 : 1 + num_quantizers], ended)
        if not alive:
            return
        history.add(chosen[:, None])
        tokens, mask = chosen[:, None].repeat(copies, 1, 1), None


def generate(
    model: BaseTokenLM,
    prompts: Sequence[Tensor],
    *,
    num_quantizers: int | None = None,
    sampling: SamplingConfig | None = None,
    max_frames: int = MAX_FRAMES,
    seeds: Sequence[int] | None = None,
    unconditional: Sequence[Tensor] | None = None,
) -> list[Generated]:
    """What `generate_frames` yields, gathered for each prompt; codes are on the CPU.

    A continuation's prefix is in its prompt, not in the result.
    """
    num_quantizers = check_quantizers(num_quantizers, model.config.n_vq)
    columns: list[list[Tensor]] = [[] for _ in prompts]
    ended: set[int] = set()
    for frame in generate_frames(
        model,
        prompts,
        num_quantizers=num_quantizers,
        sampling=sampling,
        max_frames=max_frames,
        seeds=seeds,
        unconditional=unconditional,
    ):
        ended.update(frame.ended)
        for index, codes in zip(frame.indices, frame.codes.cpu(), strict=True):
            columns[index].append(codes)
    empty = torch.empty(num_quantizers, 0, dtype=torch.int64, device="cpu")
    return [
        Generated(torch.stack(each, dim=1) if each else empty, index in ended)
        for index, each in enumerate(columns)
    ]
