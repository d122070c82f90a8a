"""What is kept, what is left out, and whose voice a reference has."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch

from catok import Encoded
from catok.data.entry import Entry
from catok.data.recordings import read_recordings
from catok.training.lm.corpus import CodesFormat, Corpus
from catok.training.lm.examples import Example, build
from catok.training.lm.train_config import LMDataConfig

from .conftest import TEXTS, open_codes


def test_codes_are_a_prefix_of_the_file(places, corpus):
    for index in range(len(TEXTS)):
        stored = Encoded.load(places / f"{index}.cat").codes[0, :4]
        for _ in range(2):  # from the file, then from memory
            assert torch.equal(corpus.codes(index), stored)
    assert corpus.frames.tolist() == [u.frames for u in corpus.utterances]
    assert corpus.languages == ("en",)
    assert corpus.hours == pytest.approx(corpus.frames.sum() / 12.5 / 3600)


def test_memory_is_bounded(places, networks):
    none = open_codes(places, networks, LMDataConfig(codes_in_memory=0.0))
    some = open_codes(places, networks, LMDataConfig(codes_in_memory=200e-9))
    for corpus in (none, some):
        for index in range(len(corpus)):
            corpus.codes(index)
    assert not none._kept and 0 < sum(c.nbytes for c in some._kept.values()) <= 200


def test_what_cannot_be_used_is_counted(places, networks, codec, tmp_path):
    good = read_recordings(places / "codes.jsonl")
    changed = [
        good[0],
        dataclasses.replace(good[1], text=None),
        dataclasses.replace(good[1], text="  "),
        dataclasses.replace(good[1], text="x" * 51),
        dataclasses.replace(good[1], text="a<|im_end|>"),
        dataclasses.replace(good[1], text="\ud800"),
        dataclasses.replace(good[1], codes=places / "none.cat"),
        Entry(places / "0.wav", text="text"),
        dataclasses.replace(good[1], frames=1, weights=""),
        dataclasses.replace(good[1], frames=1000, weights=""),
    ]
    data = LMDataConfig(max_text=50)
    corpus = Corpus(changed, networks.text, networks.space, data)
    assert len(corpus) == 1
    assert corpus.skipped == Counter(
        {
            "no text": 2,
            "text too long": 1,
            "special token in text": 1,
            "text cannot be encoded": 1,
            "no codes": 2,
            "too short": 1,
            "too long": 1,
        }
    )
    with pytest.raises(ValueError, match="none of 9 recordings can be trained on"):
        Corpus(changed[1:], networks.text, networks.space, data)
    data = dataclasses.replace(data, empty_text=True)  # of nothing but spaces, not of none
    corpus = Corpus(changed, networks.text, networks.space, data)
    assert [u.text for u in corpus.utterances] == [good[0].text, ""]
    assert corpus.text_lengths.tolist()[1] == 0 and corpus.skipped["no text"] == 1


def test_codes_of_another_tokenizer_are_refused(places, networks):
    recordings = read_recordings(places / "codes.jsonl")
    with pytest.raises(ValueError, match="another audio tokenizer"):
        Corpus(recordings, networks.text, CodesFormat(4, 12.5, "0" * 16), LMDataConfig())


def test_references_are_others_of_the_same_voice(corpus):
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(100):
        for index, other in enumerate(corpus.draw_references(rng).tolist()):
            assert other != index
            assert corpus.utterances[other].voice == corpus.utterances[index].voice
            seen.add((index, other))
    assert len(seen) == 4 * 3 + 3 * 2  # voices of four and three utterances


def test_a_voice_with_one_utterance_has_no_reference(places, networks):
    recordings = read_recordings(places / "codes.jsonl")[:3]
    corpus = Corpus(recordings, networks.text, networks.space, LMDataConfig())
    assert corpus.draw_references(np.random.default_rng(0)).tolist() == [2, -1, 0]


FIELDS = {"instruction": "Whisper.", "tokens": 9, "quality": "clean"}


def test_prompt_fields_of_a_list_reach_the_examples(places, networks):
    plain = read_recordings(places / "codes.jsonl")[0]
    told = dataclasses.replace(plain, extra=FIELDS | {"other": 1}, language="en")
    corpus = Corpus([plain, told], networks.text, networks.space, LMDataConfig())
    sequences = [build(Example("tts", index), corpus, networks.prompt_builder) for index in (0, 1)]
    spelled = networks.text.decode(sequences[1].rows[:, 0].tolist())
    assert "- Instruction:\nWhisper.\n- Tokens:\n9\n- Quality:\nclean\n" in spelled
    assert "- Sound Event:\nNone\n- Ambient Sound:\nNone\n- Language:\nen\n" in spelled
    longer = [corpus.utterances[index].text_length for index in (0, 1)]
    assert longer[1] - longer[0] == len("Whisper.9clean")


def test_prompt_fields_of_another_type_are_refused(places, networks):
    plain = read_recordings(places / "codes.jsonl")[0]
    with pytest.raises(ValueError, match="quality must be text, got 4.5"):
        Corpus(
            [dataclasses.replace(plain, extra={"quality": 4.5})],
            networks.text,
            networks.space,
            LMDataConfig(),
        )


def test_the_language_of_recordings_that_say_none_may_be_set(places, networks):
    plain = dataclasses.replace(read_recordings(places / "codes.jsonl")[0], language=None)
    told = dataclasses.replace(plain, language="zh")
    corpus = Corpus([plain, told], networks.text, networks.space, LMDataConfig(language="en"))
    assert [each.fields.language for each in corpus.utterances] == ["en", "zh"]
