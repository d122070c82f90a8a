"""Against what the official code computes with the same weights (`docs/spec/tts-layout.md` (h))."""

import json

import pytest
import torch

from catok.data.prompt_fields import PromptFields
from catok.lm.generation import generate
from catok.lm.messages import assistant_message, user_message
from catok.lm.prompt import PromptBuilder
from catok.lm.released import UNUSED, released_name
from catok.lm.repetition_history import RepetitionHistory
from catok.lm.sampler import Sampler
from catok.lm.sampling import SamplingConfig, penalize, probabilities
from catok.lm.text import ByteTokenizer
from tests.lm.conftest import GOLDEN, golden_array

META = json.loads((GOLDEN / "meta.json").read_text())
CASES = json.loads((GOLDEN / "prompts.json").read_text())["cases"]
DEPTHS = (32, 8)


class Recorder(Sampler):
    """A sampler that keeps the logits it sees."""

    def __init__(self, config, batch):
        super().__init__(SamplingConfig.greedy(), config, [0] * batch)
        self.frames = []

    def start_frame(self, channels):
        super().start_frame(channels)
        self.frames.append([])

    def choose(self, channel, logits, seen):
        self.frames[-1].append(logits.clone())
        return super().choose(channel, logits, seen)


def conversation(case):
    """A golden case's messages in our words."""
    messages = []
    for message in case["messages"]:
        message = dict(message)
        if message.pop("role") == "user":
            references = message.pop("reference", None)
            if references is not None:
                references = [name and golden_array(name).t() for name in references]
            text = message.pop("text", None)
            fields = PromptFields(**message)
            messages.append(user_message(text, fields, references=references))
        else:
            codes = [golden_array(name).t() for name in message["codes"]]
            gaps = ["\n"] * len(codes)
            parts = [part for pair in zip(codes, gaps, strict=True) for part in pair][:-1]
            messages.append(assistant_message(*parts))
    return messages


@pytest.mark.parametrize("name", CASES)
def test_prompt_rows_are_identical(golden, name):
    case = CASES[name]
    prompt_builder = PromptBuilder(golden.config, ByteTokenizer(golden.config))
    messages = conversation(case)
    if case["mode"] == "generation":
        rows = prompt_builder.generation(messages)
    elif case["mode"] == "continuation":
        rows = prompt_builder.continuation(messages)
    else:
        rows = prompt_builder.conversation(messages)
    assert torch.equal(rows, golden_array(f"rows_{name}")[0])


def test_training_labels_are_identical(golden):
    prompt_builder = PromptBuilder(golden.config, ByteTokenizer(golden.config))
    rows, labels = prompt_builder.training(conversation(CASES["training"]))
    assert torch.equal(rows, golden_array("train_rows")[0])
    assert torch.equal(labels, golden_array("train_labels")[0])


def test_embedding_sum_agrees(golden):
    total = golden.embedding(golden_array("rows_clone"), 32)
    assert (total - golden_array("embedding_sum_clone_q32")).abs().max() < 1e-6


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", ["clone", "continuation", "batch"])
def test_hidden_states_agree(golden, name, depth):
    rows = golden_array("batch_rows" if name == "batch" else f"rows_{name}")
    mask = golden_array("batch_mask") if name == "batch" else torch.ones(rows.shape[:2]).bool()
    with torch.no_grad():
        hidden, _ = golden.temporal(rows, mask, num_quantizers=depth)
    assert (hidden - golden_array(f"hidden_{name}_q{depth}"))[mask].abs().max() < 2e-5


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", ["clone", "continuation", "batch"])
def test_greedy_tokens_are_identical(golden, name, depth):
    expected = golden_array(f"greedy_{name}_q{depth}")
    rows = golden_array("batch_rows" if name == "batch" else f"rows_{name}")
    mask = golden_array("batch_mask") if name == "batch" else torch.ones(rows.shape[:2]).bool()
    recorder = Recorder(golden.config, len(rows))
    history = RepetitionHistory(rows, depth, 65)
    alive, state = torch.ones(len(rows), dtype=torch.bool), None
    for step in range(expected.shape[1]):
        with torch.no_grad():
            hidden, state = golden.temporal(rows, mask, state, depth)
        rows = golden.sample_frame(hidden[:, -1], depth, recorder, history)[:, None]
        assert torch.equal(rows[alive, 0], expected[alive, step])
        alive &= rows[:, 0, 0] != golden.config.audio_end_token_id
        mask = None
    for step in (0, 1):
        text, *audio = recorder.frames[step]
        codes = torch.stack(audio, dim=1)
        assert bool((codes[..., 64] == float("-inf")).all())
        stored = golden_array(f"greedy_{name}_q{depth}_frame{step}_audio_logits")
        assert (codes - stored)[..., :64].abs().max() < 5e-4
        stored = golden_array(f"greedy_{name}_q{depth}_frame{step}_text_logits")
        assert (text - stored).abs().max() < 5e-4


@pytest.mark.parametrize("depth", DEPTHS)
def test_generate_gives_the_golden_frames_without_the_garbage_one(golden, depth):
    expected = golden_array(f"greedy_batch_q{depth}")
    rows, mask = golden_array("batch_rows"), golden_array("batch_mask")
    prompts = [each[real] for each, real in zip(rows, mask, strict=True)]
    results = generate(
        golden,
        prompts,
        num_quantizers=depth,
        sampling=SamplingConfig.greedy(),
        max_frames=expected.shape[1],
    )
    for result, wanted in zip(results, expected, strict=True):
        ends = (wanted[:, 0] == golden.config.audio_end_token_id).nonzero()
        frames = int(ends[0]) if len(ends) else len(wanted)
        assert torch.equal(result.codes, wanted[:frames, 1 : 1 + depth].t())
        assert result.ended == (len(ends) > 0)


def test_training_agrees(golden):
    rows, mask = golden_array("train_rows"), golden_array("train_mask")
    labels, facts = golden_array("train_labels"), META["training"]
    hidden, _ = golden.temporal(rows, mask, keep_state=False)
    assert (hidden - golden_array("hidden_train"))[mask].abs().max() < 2e-5
    for sample, positions in enumerate(facts["logit_positions"]):
        text, audio = golden.depth_logits(hidden[sample, positions], labels[sample, positions])
        assert (text - golden_array("train_text_logits")[sample]).abs().max() < 5e-4
        assert (audio - golden_array("train_audio_logits")[sample]).abs().max() < 5e-4

    weights = [facts["weights_text"], *[facts["weights_audio_total"] / 32] * 32]
    weighted = golden.loss(rows, labels, mask, channel_weights=weights).losses["loss"]
    assert abs(weighted.item() - facts["loss_weighted"]) < 2e-5
    loss = golden.loss(rows, labels, mask)
    assert abs(loss.losses["loss"].item() - facts["loss"]) < 2e-5
    stored = golden_array("train_loss_per_channel")
    assert (loss.per_channel - stored).abs().max() < 2e-5
    assert loss.targets[:2].tolist() == facts["targets"]

    names = {released_name(name): value for name, value in golden.named_parameters()}
    gradients = torch.autograd.grad(loss.losses["loss"], list(names.values()))
    norms = {n: g.norm().item() for n, g in zip(names, gradients, strict=True)}
    assert {n: norms[n] for n in facts["grad_norm"]} == pytest.approx(facts["grad_norm"], rel=1e-4)
    whole = sum(norm**2 for norm in norms.values()) ** 0.5
    assert whole == pytest.approx(facts["grad_norm_total"], rel=1e-5)
    assert UNUSED not in names


def test_sampling_probabilities_agree():
    logits, history = golden_array("sampling_audio_logits"), golden_array("sampling_audio_history")
    logits[:, 64] = float("-inf")
    seen = RepetitionHistory(torch.stack([history, history], dim=2), 1, 65).channel(1)
    for penalty, settings, name in (
        (1.1, (1.0, 50, 0.95), "sampling_audio_probs"),
        (1.3, (1.7, 25, 0.8), "sampling_audio_probs_t1.7_p0.8_k25_r1.3"),
    ):
        found = probabilities(penalize(logits, seen, penalty), *settings)
        assert (found - golden_array(name)).abs().max() < 1e-6
        assert torch.equal(found > 0, golden_array(name) > 0)
    found = probabilities(golden_array("sampling_text_logits"), 1.5, 50, 1.0)
    assert (found - golden_array("sampling_text_probs")).abs().max() < 1e-6
