import math

import pytest
import torch
import torch.nn.functional as F

from tests.training.codec.semantic.conftest import DIM, build_head, noise

TEXTS = ["cat", None, "", "a longer text"]
TASKS = ["asr", "", "caption", "multi_speaker_asr"]
LENGTHS = torch.tensor([5, 7, 2, 7])


def by_hand(head, latents, text, task):
    """Sum of -log p, one full pass of the language model per token, no batch and no padding."""
    embed = head.language_model.get_input_embeddings()
    start = [head.tags[head.config.tasks.index(task)][None], head.adapter(latents.t())]
    total = 0.0
    ids = [*text.encode(), 256]
    for position, target in enumerate(ids):
        said = embed(torch.tensor(ids[:position], dtype=torch.int64))
        inputs = torch.cat([*start, said])[None]
        logits = head.language_model(inputs_embeds=inputs).logits[0, -1]
        total -= logits.double().log_softmax(-1)[target].item()
    return total


def test_loss_by_hand(head):
    latents = noise(4, DIM, 7)
    out = head(latents, LENGTHS, TEXTS, TASKS)
    expected = sum(
        by_hand(head, latents[i, :, : LENGTHS[i]], TEXTS[i], TASKS[i]) for i in (0, 2, 3)
    )
    assert (out.text_tokens, out.rows, out.dropped) == (4 + 1 + 14, 3, 0)
    assert out.token_loss_sum.item() == pytest.approx(expected, rel=1e-5)
    assert out.loss.item() == pytest.approx(expected / 19, rel=1e-5)


def test_padding_and_neighbours_do_not_matter(head):
    latents = noise(4, DIM, 7).requires_grad_()
    spoilt = latents.detach().clone()
    for row, length in enumerate(LENGTHS.tolist()):
        spoilt[row, :, length:] = math.nan
    spoilt[1] = math.nan  # no text
    spoilt.requires_grad_()
    head(spoilt, LENGTHS, TEXTS, TASKS).token_loss_sum.backward()
    in_batch = {name: p.grad.clone() for name, p in head.named_parameters()}
    head.zero_grad()
    alone = 0.0
    for i in (0, 2, 3):
        one = head(latents[i : i + 1, :, : LENGTHS[i]], LENGTHS[i : i + 1], [TEXTS[i]], [TASKS[i]])
        one.token_loss_sum.backward()
        alone += one.token_loss_sum.item()
    assert head(spoilt, LENGTHS, TEXTS, TASKS).token_loss_sum.item() == pytest.approx(alone, 1e-6)
    assert torch.allclose(spoilt.grad, latents.grad, atol=1e-5)
    for name, parameter in head.named_parameters():
        assert torch.allclose(in_batch[name], parameter.grad, atol=2e-5), name
    assert not spoilt.grad[1].any()
    assert spoilt.grad[0, :, :5].any() and not spoilt.grad[0, :, 5:].any()


@pytest.mark.parametrize("texts", [[None, None], ["x" * 600, None]])
def test_without_text_gradients_are_zeros(head, texts):
    latents = noise(2, DIM, 3).requires_grad_()
    out = head(latents, torch.tensor([3, 2]), texts, ["asr", "asr"])
    assert (out.loss.item(), out.token_loss_sum.item()) == (0, 0)
    assert (out.text_tokens, out.rows, out.dropped) == (0, 0, sum(t is not None for t in texts))
    out.loss.backward()
    for tensor in (latents, *head.parameters()):
        assert tensor.grad is not None and not tensor.grad.any()


def test_any_text_reaches_every_parameter():
    config = {"tasks": ("asr", "caption")}
    for text in ("", "a"):
        head = build_head(**config)
        head(noise(1, DIM, 3), torch.tensor([3]), [text], ["asr"]).loss.backward()
        assert all(p.grad is not None for p in head.parameters())
        assert head.tags.grad[0].any() and not head.tags.grad[1].any()


def test_long_texts_are_dropped_and_counted():
    head = build_head(max_text_tokens=4)
    out = head(noise(2, DIM, 3), torch.tensor([3, 3]), ["four", "fiver"], ["asr"] * 2)
    assert (out.text_tokens, out.rows, out.dropped) == (5, 1, 1)


def test_the_task_matters(head):
    latents, lengths = noise(1, DIM, 3), torch.tensor([3])
    with torch.no_grad():
        head.tags.mul_(50)
        losses = {head(latents, lengths, ["cat"], [t]).loss.item() for t in head.config.tasks}
    assert len(losses) == 3


def test_bad_arguments(head):
    latents, lengths = noise(2, DIM, 3), torch.tensor([3, 3])
    with pytest.raises(ValueError, match="unknown task 'dance'"):
        head(latents, lengths, ["a", "b"], ["asr", "dance"])
    with pytest.raises(ValueError, match="unknown task 'dance'"):
        head.transcribe(latents, lengths, "dance", 5)
    with pytest.raises(ValueError, match="2 rows, 1 texts"):
        head(latents, lengths, ["a"], ["asr", "asr"])
    for bad in ([3, 4], [3, -1], [3]):
        with pytest.raises(ValueError, match="frame_lengths"):
            head(latents, torch.tensor(bad), ["a", "b"], ["asr", "asr"])
    for shape in ((2, DIM + 1, 3), (0, DIM, 3), (DIM, 3)):
        with pytest.raises(ValueError, match="latents must be"):
            head(noise(*shape), lengths, ["a", "b"], ["asr", "asr"])
    with pytest.raises(ValueError, match="max_tokens"):
        head.transcribe(latents, lengths, "asr", 0)


def test_bfloat16_autocast(head, monkeypatch):
    latents = noise(4, DIM, 7).requires_grad_()
    exact = head(latents, LENGTHS, TEXTS, TASKS).loss
    exact.backward()
    expected, latents.grad = latents.grad, None
    seen = []
    plain = F.cross_entropy

    def watched(logits, *rest, **named):
        seen.append(logits.dtype)
        return plain(logits, *rest, **named)

    monkeypatch.setattr(F, "cross_entropy", watched)
    with torch.autocast("cpu", torch.bfloat16):
        out = head(latents, LENGTHS, TEXTS, TASKS)
    out.loss.backward()
    assert seen == [torch.float32] and out.loss.dtype == torch.float32
    assert out.loss.item() != exact.item()
    assert out.loss.item() == pytest.approx(exact.item(), rel=0.02)
    assert latents.grad is not None
    assert F.cosine_similarity(latents.grad.flatten(), expected.flatten(), dim=0) > 0.95
    with torch.autocast("cpu", torch.bfloat16):
        assert len(head.transcribe(latents, LENGTHS, "asr", 3)) == 4


def test_gradient_checkpointing_changes_nothing_but_memory(monkeypatch):
    monkeypatch.setattr("catok.training.codec.semantic.head.TOKENS_AT_ONCE", 4)
    plain, saving = build_head(), build_head(gradient_checkpointing=True)
    layers = saving.language_model.get_decoder().layers
    assert all(layer.gradient_checkpointing for layer in layers)
    latents, passes = noise(4, DIM, 7), []
    for layer in layers:
        layer.mlp.register_forward_pre_hook(lambda *_: passes.append(1))
    for head in (plain, saving):
        head(latents, LENGTHS, TEXTS, TASKS).loss.backward()
    assert len(passes) == 4  # each of two layers ran twice
    pairs = zip(plain.named_parameters(), saving.parameters(), strict=True)
    for (name, one), other in pairs:
        assert torch.allclose(one.grad, other.grad, atol=1e-6), name
    assert saving.transcribe(latents, LENGTHS, "asr", 4) == plain.transcribe(
        latents, LENGTHS, "asr", 4
    )
