"""Batches: within their budget, each utterance once a pass, the same whenever asked for."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.data.recordings import read_recordings
from catok.lm.loss import IGNORED
from catok.training.engine.prefetch import prefetch
from catok.training.lm.batches import LMBatchSource, pack_to_budget, plan_epoch, training_source
from catok.training.lm.corpus import Corpus
from catok.training.lm.examples import Example, build, mask_frames, thin_frames
from catok.training.lm.train_config import LMDataConfig, MaskingConfig

from .conftest import TEXTS, open_codes


@given(
    st.lists(st.integers(1, 50), max_size=40).map(sorted),
    st.integers(1, 200),
)
def test_packing_keeps_everything_within_the_budget(lengths, budget):
    runs = list(pack_to_budget(np.array(lengths, dtype=np.int64), budget))
    assert [i for run in runs for i in range(run.start, run.stop)] == list(range(len(lengths)))
    for run in runs:
        part = lengths[run]
        assert len(part) == 1 or len(part) * max(part) <= budget
    for one, two in pairwise(runs):  # as few batches as that allows
        assert (one.stop - one.start + 1) * lengths[two.start] > budget


def test_a_pass_holds_every_utterance_once(corpus, networks):
    data = LMDataConfig(rows_per_batch=200, clone=0.5, continuation=0.5)
    seen = Counter()
    for turn in range(30):
        tasks = {"tts": 1.0, "asr": 1.0}
        rng = np.random.default_rng(turn)
        batches = plan_epoch(corpus, networks.prompt_builder, data, tasks, rng)
        assert sorted(e.index for b in batches for e in b) == list(range(len(TEXTS)))
        for batch in batches:
            assert len({e.task for e in batch}) == 1
            rows = [len(build(e, corpus, networks.prompt_builder).rows) for e in batch]
            assert len(batch) == 1 or len(batch) * max(rows) <= 200
            for example in batch:
                seen[example.task] += 1
                seen["clone"] += example.reference >= 0
                seen["prefix"] += example.prefix > 0
                assert 0 <= example.prefix < corpus.frames[example.index]
                assert example.task == "tts" or (example.reference, example.prefix) == (-1, 0)
    assert 0.35 < seen["tts"] / 210 < 0.65
    assert 0.35 < seen["clone"] / seen["tts"] < 0.65
    assert 0.35 < seen["prefix"] / seen["tts"] < 0.65


def test_some_speak_without_being_told_the_text(corpus, networks):
    rng = np.random.default_rng(0)
    tasks, data = {"tts": 1.0, "asr": 1.0}, LMDataConfig(rows_per_batch=200, no_text=0.4)
    examples = [
        e
        for _ in range(30)
        for b in plan_epoch(corpus, networks.prompt_builder, data, tasks, rng)
        for e in b
    ]
    spoken = [e for e in examples if e.task == "tts"]
    assert all(e.with_text for e in examples if e.task == "asr")
    assert 0.25 < sum(not e.with_text for e in spoken) / len(spoken) < 0.55
    untold = build(Example("tts", 0, with_text=False), corpus, networks.prompt_builder)
    told = build(Example("tts", 0), corpus, networks.prompt_builder)
    text = networks.prompt_builder.text
    assert text.decode(told.text.tolist()) == corpus.utterances[0].text and not len(untold.text)
    spelled = text.decode(told.rows[:, 0].tolist())
    silent = spelled.replace(f"Text:\n{corpus.utterances[0].text}\n", "Text:\nNone\n")
    assert text.decode(untold.rows[:, 0].tolist()) == silent != spelled
    asked = [s.labels[(s.labels[:, 1:] != IGNORED).any(dim=1)] for s in (told, untold)]
    assert torch.equal(*asked)


def test_where_nobody_speaks_there_is_nothing_to_synthesize(places, networks):
    entries = read_recordings(places / "codes.jsonl")
    entries[2] = replace(entries[2], text="")
    data = LMDataConfig(rows_per_batch=200, empty_text=True)
    corpus = Corpus(entries, networks.text, networks.space, data)
    for turn in range(10):
        rng = np.random.default_rng(turn)
        tasks = {"tts": 5.0, "asr": 1.0}
        batches = plan_epoch(corpus, networks.prompt_builder, data, tasks, rng)
        examples = [example for batch in batches for example in batch]
        assert sorted(e.index for e in examples) == list(range(len(TEXTS)))
        assert [e.task for e in examples if e.index == 2] == ["asr"]
    said, nothing = (build(Example("asr", i), corpus, networks.prompt_builder) for i in (1, 2))
    predicted, ending = (s.labels[s.labels[:, 0] != IGNORED, 0].tolist() for s in (said, nothing))
    assert ending == predicted[len(said.text) :] and not len(nothing.text)


def test_references_are_cut(corpus, networks):
    data = LMDataConfig(clone=1.0, reference_seconds=4 / 12.5)
    examples = [
        e
        for turn in range(5)
        for b in plan_epoch(
            corpus, networks.prompt_builder, data, {"tts": 1.0}, np.random.default_rng(turn)
        )
        for e in b
    ]
    assert {e.reference_stop - e.reference_start for e in examples} == {4}
    assert all(e.reference_stop <= corpus.frames[e.reference] for e in examples)
    assert len({e.reference_start for e in examples}) > 3


def test_batches_are_a_function_of_seed_and_number(config, corpus, networks):
    def source(seed=0):
        return training_source(replace(config, seed=seed), corpus, networks.prompt_builder)

    forward = [source().batch(n) for n in range(12)]
    again, other = source(), source(seed=1)
    for number in (11, 3, 7, 0):
        assert torch.equal(again.batch(number).rows, forward[number].rows)
        assert torch.equal(again.batch(number).labels, forward[number].labels)
    assert any(
        other.batch(n).rows.shape != b.rows.shape or not torch.equal(other.batch(n).rows, b.rows)
        for n, b in enumerate(forward)
    )


def test_two_processes_read_what_one_would(config, corpus, networks):
    one = training_source(replace(config, accumulate=2), corpus, networks.prompt_builder)
    ranks = [training_source(config, corpus, networks.prompt_builder, rank, 2) for rank in (0, 1)]
    for step in range(5):
        both = [read() for source in ranks for read in source.requests(step)]
        whole = [read() for read in one.requests(step)]
        for mine, other in zip(whole, both, strict=True):
            assert torch.equal(mine.rows, other.rows)


def test_threads_change_nothing(config, corpus, networks):
    source = training_source(config, corpus, networks.prompt_builder)
    requests = [read for step in range(2, 9) for read in source.requests(step)]
    plain, threaded = (list(prefetch(requests, workers)) for workers in (0, 3))
    assert len(plain) == 7
    for one, other in zip(plain, threaded, strict=True):
        assert torch.equal(one.rows, other.rows)


def test_recognition_is_the_prompt_that_the_recogniser_uses(corpus, networks):
    from catok.lm.asr.prefill import RecognitionPrompt

    sequence = build(Example("asr", 3), corpus, networks.prompt_builder)
    prompt = RecognitionPrompt(networks.prompt_builder)
    codes = corpus.codes(3)
    expected = torch.cat([prompt.opening, prompt.frames(codes), prompt.closing])
    assert torch.equal(sequence.rows[: len(expected)], expected)
    asked = sequence.labels[:, 0] != IGNORED
    assert int(asked.nonzero()[0]) == len(expected) - 1
    ids = sequence.labels[asked, 0].tolist()
    end = [networks.model.config.im_end_token_id, *networks.text.encode("\n")]
    assert ids == networks.text.encode(TEXTS[3]) + end
    assert sequence.text.tolist() == networks.text.encode(TEXTS[3])
    assert bool((sequence.labels[:, 1:] == IGNORED).all())


@pytest.mark.parametrize("prefix", [0, 1, 4])
def test_synthesis_learns_what_comes_after_the_prefix(corpus, networks, prefix):
    example = Example("tts", 1, reference=3, reference_start=1, reference_stop=4, prefix=prefix)
    sequence = build(example, corpus, networks.prompt_builder)
    codes, config = corpus.codes(1), networks.model.config
    audio = sequence.labels[:, 1] != IGNORED
    assert torch.equal(sequence.labels[audio, 1:].t(), codes[:, prefix:])
    text = sequence.labels[:, 0] != IGNORED
    ids = sequence.labels[text, 0].tolist()
    newline = networks.text.encode("\n")
    slots = [config.audio_assistant_gen_slot_token_id] * (codes.shape[1] - prefix)
    assert ids == [*slots, config.audio_end_token_id, config.im_end_token_id, *newline]
    heard = sequence.rows[:, 0] == config.audio_user_slot_token_id
    assert torch.equal(sequence.rows[heard, 1:].t(), corpus.codes(3)[:, 1:4])
    spoken = sequence.rows[:, 0] == config.audio_assistant_gen_slot_token_id
    assert torch.equal(sequence.rows[spoken, 1:].t(), codes)  # the prefix is seen all the same


def test_masking_hides_spans_of_frames_and_nothing_else():
    rows = torch.arange(200 * 5).view(200, 5)
    heard = torch.zeros(200, dtype=torch.bool)
    heard[50:150] = True
    hidden = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        masked = mask_frames(rows, heard, MaskingConfig(0.4, 6), -1, rng)
        gone = (masked[:, 1:] == -1).all(dim=1)
        assert torch.equal(masked[~gone], rows[~gone]) and torch.equal(masked[:, 0], rows[:, 0])
        assert not bool(gone[~heard].any())
        hidden.append(int(gone.sum()))
    assert max(hidden) <= 40 and 10 < sum(hidden) / 50 < 20 and len(set(hidden)) > 10


def test_masking_is_in_training_batches_of_recognition_only(config, corpus, networks):
    masking = MaskingConfig(0.9, 3)
    pad = networks.model.config.audio_pad_code

    def hidden(task, masking):
        source = LMBatchSource(
            corpus, networks.prompt_builder, config.data, {task: 1.0}, masking=masking
        )
        batches = [source.batch(n) for n in range(4)]
        return sum(int((b.rows[..., 1][b.voiced] == pad).sum()) for b in batches)

    assert hidden("asr", masking) > 0
    assert hidden("asr", None) == 0
    assert hidden("tts", masking) == hidden("tts", None)


def test_thinning_keeps_text_the_first_codebook_and_a_share_of_the_rest():
    labels = torch.arange(60 * 5).view(60, 5)
    labels[:20] = IGNORED
    labels[59, 1:] = IGNORED  # the end: text alone
    kept = set()
    for seed in range(20):
        thin = thin_frames(labels, 0.25, np.random.default_rng(seed))
        assert torch.equal(thin[:, :2], labels[:, :2])
        whole = (thin[:, 2:] != IGNORED).all(dim=1)
        assert torch.equal(thin[whole], labels[whole]) and int(whole.sum()) == 10
        assert bool((thin[~whole, 2:] == IGNORED).all())
        kept |= set(whole.nonzero()[:, 0].tolist())
    assert kept == set(range(20, 59))
    least = thin_frames(labels, 1e-3, np.random.default_rng(0))
    assert int((least[:, 2:] != IGNORED).any(dim=1).sum()) == 1


def test_a_recipe_thins_synthesis_and_nothing_else(config, corpus, networks):
    thinned = replace(config, depth_share=0.5)

    def targets(config, task):
        source = training_source(
            replace(config, tasks={task: 1.0}), corpus, networks.prompt_builder
        )
        return torch.stack([(r().labels != IGNORED).sum(dim=(0, 1)) for r in source.requests(0)])

    whole, thin = targets(config, "tts"), targets(thinned, "tts")
    assert torch.equal(whole[:, :2], thin[:, :2])
    assert bool((thin[:, 2:] < whole[:, 2:]).all() and (thin[:, 2:] > 0).all())
    assert torch.equal(targets(config, "asr"), targets(thinned, "asr"))


def test_codes_that_cannot_be_read_are_left_out_and_named(places, networks, config, tmp_path):
    corpus = open_codes(places, networks)
    whole = LMBatchSource(corpus, networks.prompt_builder, config.data, {"asr": 1.0}).batch(0)
    first = LMBatchSource(corpus, networks.prompt_builder, config.data, {"asr": 1.0})
    victim = first._examples(0)[0].index
    broken = replace(corpus.utterances[victim], codes=tmp_path / "none.cat")
    corpus.utterances[victim] = broken
    corpus._kept.clear()
    batch = first.batch(0)
    assert len(batch.rows) == len(whole.rows) - 1
    assert len(batch.skipped) == 1 and "none.cat" in batch.skipped[0]
    corpus.utterances[:] = [broken] * len(corpus)
    corpus._kept.clear()
    with pytest.raises(ValueError, match="no recording of a batch"):
        first.batch(0)
