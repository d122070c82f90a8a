"""From generated codes to audio, a batch at a time, continued recordings cut off exactly."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from catok.tokenizer.tokenizer import CausalAudioTokenizer


def decode_rows(
    tokenizer: CausalAudioTokenizer, prefixes: Sequence[Tensor], codes: Sequence[Tensor]
) -> list[Tensor]:
    """Audio `[C, F * frame_size]` float32 on the CPU of each row's new codes `[K, F]`.

    `prefixes` `[K, P]`: codes that come before them. They are decoded too, so that the new sound
    follows on from theirs, and their P * frame_size samples are dropped. The decoder being causal,
    a row does not hear the padding after it.
    """
    size = tokenizer.frame_size
    audio = [torch.zeros(tokenizer.channels, 0, dtype=torch.float32, device="cpu") for _ in codes]
    filled = [row for row, each in enumerate(codes) if each.shape[1]]
    if not filled:
        return audio
    whole = [torch.cat([prefixes[row], codes[row]], dim=1) for row in filled]
    longest = max(each.shape[1] for each in whole)
    batch = torch.stack([pad(each, (0, longest - each.shape[1])) for each in whole])
    sound = tokenizer.decode(batch).cpu()
    for place, row in enumerate(filled):
        start, stop = prefixes[row].shape[1] * size, whole[place].shape[1] * size
        audio[row] = sound[place, :, start:stop].clone()
    return audio
