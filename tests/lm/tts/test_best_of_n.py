import dataclasses
import itertools
import math

import pytest
import torch

from catok.lm.asr.scoring import ctc_scores
from catok.lm.generation import Generated
from catok.lm.tts import SpeechRequest
from catok.lm.tts.best_of_n import STRIDE, BestOfN
from tests.conftest import build, small_settings
from tests.lm.asr.conftest import make
from tests.lm.tts.conftest import voice

HOW = {"max_seconds": 0.8, "num_quantizers": 3}


@pytest.fixture(scope="module")
def reranker(small_model):
    return make(small_model)


def asked(text, seed=None, **fields):
    return SpeechRequest(text, seed=seed, **HOW, **fields)


def readings(synth, text, seed, count):
    seeds = [seed + STRIDE * turn for turn in range(count)]
    return synth.synthesize([asked(text, seed, reference=voice()) for seed in seeds])


def test_the_likeliest_reading_that_ended_is_kept(synth, reranker):
    chosen = set()
    for seed in range(6):
        made = readings(synth, "a bed", seed, 5)
        scores = ctc_scores(reranker, [speech.codes for speech in made], ["a bed"] * 5)
        wanted = max(range(5), key=lambda i: (made[i].seconds > 0, made[i].ended, scores[i]))
        chosen.add(wanted)
        request = asked("a bed", seed, reference=voice())
        (best,) = BestOfN(reranker, 5).synthesize(synth, [request])
        assert torch.equal(best.codes, made[wanted].codes)
        assert torch.allclose(best.audio, made[wanted].audio, atol=1e-5)
    assert len(chosen) > 1  # the first is not always the best


def test_one_candidate_is_the_plain_reading_and_a_batch_is_its_rows(synth, reranker):
    requests = [asked("a cab", 3), dataclasses.replace(asked("fed", 4), num_quantizers=2)]
    plain = synth.synthesize(requests)
    single = BestOfN(reranker, 1).synthesize(synth, requests)
    assert all(torch.equal(a.codes, b.codes) for a, b in zip(plain, single, strict=True))
    both = BestOfN(reranker, 3).synthesize(synth, requests)
    for request, speech in zip(requests, both, strict=True):
        (alone,) = BestOfN(reranker, 3).synthesize(synth, [request])
        assert torch.equal(alone.codes, speech.codes)


def test_long_texts_give_the_best_pieces(synth, reranker):
    best_of = BestOfN(reranker, 4)
    request = asked("A bed. A cab.", 2, reference=voice())
    stream = synth.synthesize_long(request, max_length=10, pause=0.0, best_of=best_of)
    heard = torch.cat(list(stream), dim=1)
    pieces = []
    for number, text in enumerate(("A bed.", "A cab.")):
        pieces += best_of.synthesize(synth, [asked(text, 2 + number, reference=voice())])
    expected = torch.cat([speech.audio for speech in pieces], dim=1)
    assert heard.shape == expected.shape and torch.allclose(heard, expected, atol=1e-5)


def test_log_probabilities_are_of_all_ctc_paths(reranker):
    codes = torch.randint(0, 64, (4, 2), generator=torch.Generator().manual_seed(1))
    heard = reranker.prefiller.prefill([codes], 4)
    table = reranker.prefiller.ctc(heard.hidden[0]).double()  # 4 positions
    a, b = reranker.text.encode("ab")
    blank = reranker.prefiller.head.blank
    total = -math.inf
    for path in torch.cartesian_prod(*[torch.tensor([a, b, blank])] * 4).tolist():
        kept = [s for i, s in enumerate(path) if s != blank and (i == 0 or path[i - 1] != s)]
        if kept == [a, b]:
            total = math.log(math.exp(total) + math.exp(sum(table[range(4), path].tolist())))
    assert ctc_scores(reranker, [codes], ["ab"]) == [pytest.approx(total / 2, rel=1e-4)]


def test_nothing_and_too_little_is_never_likely(reranker):
    empty, short = torch.zeros(4, 0, dtype=torch.int64), torch.zeros(4, 1, dtype=torch.int64)
    assert ctc_scores(reranker, [empty, short], ["a", "abcdef"]) == [-math.inf, -math.inf]
    assert ctc_scores(reranker, [empty], ["a"]) == [-math.inf]
    assert ctc_scores(reranker, [], []) == []


def test_what_does_not_fit_is_refused(synth, reranker, small_model):
    with pytest.raises(ValueError, match="candidates must be at least 1"):
        BestOfN(reranker, 0)
    with pytest.raises(ValueError, match="no CTC head"):
        BestOfN(make(small_model, with_head=False), 2)
    stranger = make(build(small_settings(), seed=9))
    with pytest.raises(ValueError, match="recogniser of the same tokenizer"):
        BestOfN(stranger, 2).synthesize(synth, ["a bed"])
    code = torch.zeros(4, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="1 texts, 2 recordings"):
        ctc_scores(reranker, [code, code], ["a"])
    with pytest.raises(ValueError, match=r"\[2, 4\] codebooks"):
        ctc_scores(reranker, [code, code[:2]], ["a", "b"])
    with pytest.raises(ValueError, match="empty text"):
        ctc_scores(reranker, [code], [" "[:0]])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_silence_comes_last_and_cut_off_readings_before_it(synth, reranker, monkeypatch, order):
    codes = torch.randint(0, 64, (3, 6), generator=torch.Generator().manual_seed(2))
    likely = Generated(codes, ended=False)
    others = [(codes + shift) % 64 for shift in range(1, 64)]
    scores = ctc_scores(reranker, [codes, *others], ["a bed"] * 64)
    worse = next(other for other, s in zip(others, scores[1:], strict=True) if s < scores[0])
    ended, silent = Generated(worse, ended=True), Generated(codes[:, :0], ended=True)
    for kept, wanted in (((likely, ended, silent), ended), ((likely, likely, silent), likely)):
        made = [kept[place] for place in order]
        monkeypatch.setattr(synth, "generate_codes", lambda *a, _made=made: _made)
        (best,) = BestOfN(reranker, 3).synthesize(synth, [asked("a bed", 0)])
        assert torch.equal(best.codes, wanted.codes) and best.ended == wanted.ended
