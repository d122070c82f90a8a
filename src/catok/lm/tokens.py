"""Tokens of a sequence: `[T, 1 + n_vq]` int64, text in channel 0, codes in the others.

Source: `docs/spec/tts-layout.md` (d) and (f). A text token stands beside the pad code in
every audio channel; a frame is a slot token and its codes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from catok.lm.config import TokenLMConfig
from catok.lm.loss import IGNORED


def text_tokens(ids: Sequence[int], config: TokenLMConfig) -> Tensor:
    """Text ids as tokens `[len(ids), 1 + n_vq]`."""
    tokens = torch.full((len(ids), config.channels), config.audio_pad_code, device="cpu")
    tokens[:, 0] = torch.tensor(ids, dtype=torch.int64, device="cpu")
    return tokens


def audio_tokens(codes: Tensor, slot: int, config: TokenLMConfig) -> Tensor:
    """Codes `[n_vq, F]` of one recording as tokens `[F + 2, 1 + n_vq]`: start, frames, end.

    `slot`: the text token of frames. F may be 0. Raises ValueError on codes that do not fit.
    """
    check_recording(codes, config)
    frames = text_tokens([slot] * codes.shape[1], config)
    frames[:, 1:] = codes.t().cpu()
    ends = text_tokens([config.audio_start_token_id, config.audio_end_token_id], config)
    return torch.cat([ends[:1], frames, ends[1:]])


def check_recording(codes: Tensor, config: TokenLMConfig) -> None:
    """Codes of one recording must be int64 `[n_vq, F]`, from 0 to audio_vocab_size - 1."""
    if not isinstance(codes, Tensor) or codes.dtype != torch.int64 or codes.dim() != 2:
        found = f"{codes.dtype} {list(codes.shape)}" if isinstance(codes, Tensor) else type(codes)
        raise ValueError(
            f"the codes of a recording must be int64 [K, F], got {found}: pass one row of [B, K, F]"
        )
    if codes.shape[0] != config.n_vq:
        raise ValueError(
            f"codes of shape {list(codes.shape)} hold {codes.shape[0]} codebooks, the model reads "
            f"{config.n_vq}: encode with num_quantizers={config.n_vq}, even to generate fewer"
        )
    if codes.numel() and (int(codes.min()) < 0 or int(codes.max()) >= config.audio_vocab_size):
        raise ValueError(
            f"codes run from {int(codes.min())} to {int(codes.max())}, valid are 0 to "
            f"{config.audio_vocab_size - 1}"
        )


def pad_tokens(tokens: Sequence[Tensor], config: TokenLMConfig) -> tuple[Tensor, Tensor]:
    """Tokens of several sequences, padded on the left: `[B, T, 1 + n_vq]` and a bool mask `[B, T]`.

    Raises ValueError on no or an empty sequence.
    """
    if not tokens or any(len(each) == 0 for each in tokens):
        raise ValueError("a batch needs at least one sequence, and every sequence a token")
    longest = max(len(each) for each in tokens)
    batch = text_tokens([config.pad_token_id] * longest, config).repeat(len(tokens), 1, 1)
    mask = torch.zeros(len(tokens), longest, dtype=torch.bool, device="cpu")
    for index, each in enumerate(tokens):
        batch[index, longest - len(each) :] = each
        mask[index, longest - len(each) :] = True
    return batch, mask


def pad_labels(labels: Sequence[Tensor]) -> Tensor:
    """Labels of several sequences, as `pad_tokens` does: `[B, T, 1 + n_vq]`, padding is ignored."""
    longest = max(len(each) for each in labels)
    batch = torch.full((len(labels), longest, labels[0].shape[1]), IGNORED, device="cpu")
    for index, each in enumerate(labels):
        batch[index, longest - len(each) :] = each
    return batch


def shifted_labels(tokens: Tensor, first: int, config: TokenLMConfig) -> tuple[Tensor, Tensor]:
    """Training input and labels, `[T - 1, 1 + n_vq]` each, of a sequence `[T, 1 + n_vq]`.

    The labels of a step are the tokens of the next one. Before step `first` nothing is to be
    predicted, and the pad code never is.
    """
    labels = tokens[1:].clone()
    labels[:first] = IGNORED
    labels[:, 1:][labels[:, 1:] == config.audio_pad_code] = IGNORED
    return tokens[:-1], labels
