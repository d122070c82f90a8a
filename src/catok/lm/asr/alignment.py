"""CTC paths: the likeliest of all, and the likeliest that spells a given text (Viterbi).

Graves et al., "Connectionist Temporal Classification" (2006): a path has one symbol per position,
runs of a symbol are one, blanks are dropped.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def collapse(path: Sequence[int], blank: int) -> list[int]:
    """The tokens that a path spells."""
    tokens, before = [], blank
    for symbol in path:
        if symbol not in (before, blank):
            tokens.append(symbol)
        before = symbol
    return tokens


def best_path(log_probs: Tensor) -> tuple[list[int], float]:
    """The likeliest path through `[T, V + 1]`, the blank last: its symbols and log-probability."""
    values, symbols = log_probs.float().max(dim=1)
    return symbols.tolist(), float(values.double().sum())


def positions_needed(tokens: Sequence[int]) -> int:
    """The shortest path that spells the tokens: a blank parts equal neighbours."""
    return len(tokens) + sum(first == second for first, second in pairwise(tokens))


def align(log_probs: Tensor, tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Where each token stands on the likeliest path that spells them: positions [start, end).

    `log_probs` `[T, V + 1]`, the blank last. Raises ValueError when T positions are too few.
    """
    count, blank = len(log_probs), log_probs.shape[1] - 1
    if positions_needed(tokens) > count:
        raise ValueError(
            f"{len(tokens)} tokens need {positions_needed(tokens)} positions or more, the recording"
            f" has {count}: the text is too long for it"
        )
    if not tokens:
        return []
    symbols = [blank]
    for token in tokens:
        symbols += [token, blank]
    wanted = torch.tensor(symbols, device="cpu")
    table = log_probs.detach().cpu().double()[:, wanted]
    # from one token past a blank to the next
    skips = torch.zeros(len(symbols), dtype=torch.bool, device="cpu")
    skips[3::2] = wanted[3::2] != wanted[1:-2:2]
    never = torch.tensor(float("-inf"), dtype=torch.float64, device="cpu")
    score = torch.full((len(symbols),), float("-inf"), dtype=torch.float64, device="cpu")
    score[:2] = table[0, :2]
    moves = torch.zeros(count, len(symbols), dtype=torch.int64, device="cpu")
    for time in range(1, count):
        one = torch.nn.functional.pad(score[:-1], (1, 0), value=float("-inf"))
        two = torch.nn.functional.pad(score[:-2], (2, 0), value=float("-inf"))
        options = torch.stack([score, one, torch.where(skips, two, never)])
        best, moves[time] = options.max(dim=0)
        score = best + table[time]
    place = len(symbols) - 1 if score[-1] >= score[-2] else len(symbols) - 2
    starts, ends = [0] * len(tokens), [0] * len(tokens)
    for time in range(count - 1, -1, -1):
        if place % 2:
            token = place // 2
            starts[token] = time
            ends[token] = max(ends[token], time + 1)
        place -= int(moves[time, place])
    return list(zip(starts, ends, strict=True))
