"""How likely a text is, given the codes of a recording: a recogniser as a judge of speech."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from catok.lm.asr.recognizer import Recognizer
from catok.tokenizer.checks import check_codes


@torch.no_grad()
def ctc_scores(
    recognizer: Recognizer, codes: Sequence[Tensor], texts: Sequence[str]
) -> list[float]:
    """Mean log-probability of a token of each text, by the CTC head, in nats.

    `codes`: `[K, F]` int64 each, all of one K; codebooks that the recogniser does not read are
    dropped. Minus infinity where there are no frames, or too few for the text. Raises ValueError on
    codes that do not fit, another number of texts, and when the model has no CTC head.
    """
    recognizer.prefiller.need_head()
    counts = {len(each) for each in codes}
    if len(counts) > 1 or len(codes) != len(texts):
        raise ValueError(
            f"as many texts as recordings, all of one number of codebooks, are needed: got "
            f"{len(texts)} texts, {len(codes)} recordings of {sorted(counts)} codebooks"
        )
    scores = [-math.inf] * len(codes)
    filled = [index for index, each in enumerate(codes) if each.shape[1]]
    if not filled:
        return scores
    num_quantizers = min(*counts, recognizer.model.config.n_vq)
    size = recognizer.tokenizer.codebook_size
    for index in filled:
        check_codes(codes[index][None], recognizer.tokenizer.num_quantizers, size)
    prefilled = recognizer.prefiller.prefill(
        [codes[index][:num_quantizers].cpu() for index in filled], num_quantizers
    )
    for index, hidden in zip(filled, prefilled.hidden, strict=True):
        scores[index] = _mean(recognizer, hidden, texts[index])
    return scores


def _mean(recognizer: Recognizer, hidden: Tensor, text: str) -> float:
    tokens = recognizer.text.encode(text)
    if not tokens:
        raise ValueError("an empty text cannot be judged: give at least one word")
    table = recognizer.prefiller.ctc(hidden)
    nats = F.ctc_loss(
        table[:, None],
        torch.tensor([tokens], device=table.device),
        torch.tensor([len(table)], device="cpu"),
        torch.tensor([len(tokens)], device="cpu"),
        recognizer.prefiller.need_head().blank,
        reduction="sum",
    )
    return -float(nats) / len(tokens)
