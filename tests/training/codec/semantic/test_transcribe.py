import pytest
import torch

from catok.training.codec.semantic.decoder import decode_greedily
from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.semantic.semantic_config import SemanticConfig
from tests.training.codec.semantic.conftest import DIM, build_head, noise


@torch.no_grad()
def naive(head, latents, task, count):
    """The whole sequence anew for every token, one row, no cache."""
    embed = head.language_model.get_input_embeddings()
    inputs = torch.cat([head.tags[head.config.tasks.index(task)][None], head.adapter(latents.t())])
    said = []
    for _ in range(count):
        token = head.language_model(inputs_embeds=inputs[None]).logits[0, -1].argmax()
        if token == head.text.eos:
            break
        said.append(token.item())
        inputs = torch.cat([inputs, embed(token)[None]])
    return said


def test_equals_naive_decoding():
    head = build_head(seed=3).train()
    latents, lengths = noise(4, DIM, 9), [9, 1, 5, 0]
    rows = [naive(head, latents[i, :, :n], "asr", 12) for i, n in enumerate(lengths)]
    # make row 2 end early: what it says sixth becomes the end of text
    head.text.eos = rows[2][5]
    rows = [naive(head, latents[i, :, :n], "asr", 12) for i, n in enumerate(lengths)]
    assert sorted({len(row) for row in rows})[-1] == 12 and len(rows[2]) < 12
    prompts = head._prompts(latents, [(i, n, "asr") for i, n in enumerate(lengths)])
    given = {"eos": head.text.eos, "pad": 0, "max_tokens": 12}
    assert decode_greedily(head.language_model.eval(), prompts, **given) == rows
    head.train()
    texts = head.transcribe(latents, torch.tensor(lengths), "asr", 12)
    assert texts == [head.text.decode(row) for row in rows]
    assert head.language_model.training


@pytest.mark.slow
def test_learns_a_few_texts():
    torch.manual_seed(0)
    head = SemanticHead(SemanticConfig.preset("mini"), DIM)
    latents, lengths = noise(4, DIM, 10), torch.tensor([10, 6, 8, 10])
    texts = ["the cat", "a dog's life", "Zoë", "the cat"]
    tasks = ["asr", "asr", "asr", "caption"]
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3)
    for _ in range(120):
        loss = head(latents, lengths, texts, tasks).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert head.transcribe(latents, lengths, "asr", 20)[:3] == texts[:3]
    assert head.transcribe(latents[3:], lengths[3:], "caption", 20) == texts[3:]
    assert head.transcribe(latents[:1], lengths[:1], "asr", 3) == ["the"]
