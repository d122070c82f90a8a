"""Greedy decoding of a batch of prompts with a key/value cache."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from catok.modules.transformers_cache import cache_argument

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.no_grad()
def decode_greedily(
    model: "PreTrainedModel", prompts: list[Tensor], *, eos: int, pad: int, max_tokens: int
) -> list[list[int]]:
    """The likeliest token again and again, until `eos` or `max_tokens`.

    `prompts`: per row `[length, hidden]` embeddings, at least one row. Rows are padded on the left,
    masked and numbered from their own start: each equals the row decoded alone, but for rounding.
    Returns the ids of each row before its `eos`. The model should be in eval mode, which keeps
    gradient checkpointing from switching the cache off.
    """
    from transformers import DynamicCache  # late: slow to import

    decoder: Any = model.get_decoder()
    embed: Any = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()
    device = prompts[0].device
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    inputs = pad_sequence(prompts, batch_first=True, padding_side="left")
    columns = torch.arange(inputs.shape[1], device=device)
    mask = (columns >= inputs.shape[1] - lengths[:, None]).long()
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    cache, written = DynamicCache(), []
    for _ in range(max_tokens):
        output = decoder(
            inputs_embeds=inputs,
            attention_mask=mask,
            position_ids=positions,
            **cache_argument(decoder, cache),
        )
        token = head(output.last_hidden_state[:, -1]).float().argmax(dim=-1)
        written.append(token.masked_fill(ended, pad))
        ended = ended | (token == eos)
        if ended.all():
            break
        inputs = embed(written[-1])[:, None]
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        positions = positions[:, -1:] + 1
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(eos)] if eos in row else row for row in rows]
