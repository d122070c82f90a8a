"""Whether there is speech in a recording at all, as a CTC head hears it.

A recogniser that was trained on speech alone makes something of whatever it is given. Where there
is no speech its CTC head hardly leaves the blank, and where it does it is not sure. With
`BLANK_BIAS` more for the blank, in nats, speech keeps `TOKENS` tokens in some second; silence,
noise and most effects do not. Of music more is left, but at a low probability.
"""

import torch
from torch import Tensor

BLANK_BIAS = 2.0
TOKENS = 3


def speech_confidence(log_probs: Tensor, per_second: float) -> float:
    """How sure a CTC head is that somebody speaks, 0 to 1.

    `log_probs` `[T, V + 1]`, the blank last, `per_second` positions a second. The mean probability
    of what is not blank on the likeliest path; 0 where too little of that is left with the bias.
    """
    blank = log_probs.shape[1] - 1
    values, symbols = log_probs.float().max(dim=1)
    said = symbols != blank
    if not len(log_probs) or _most_tokens(log_probs, blank, per_second) < TOKENS:
        return 0.0
    return float(values[said].exp().mean())


def _most_tokens(log_probs: Tensor, blank: int, per_second: float) -> int:
    """The most tokens of the biased path that begin within a second."""
    biased = log_probs.float().clone()
    biased[:, blank] += BLANK_BIAS
    symbols = biased.argmax(dim=1)
    before = torch.cat([symbols.new_full((1,), blank), symbols[:-1]])
    begun = ((symbols != blank) & (symbols != before)).long().cumsum(0)
    second = max(1, round(per_second))
    gone = torch.cat([begun.new_zeros(second), begun])[: len(begun)]
    return int((begun - gone).max())
