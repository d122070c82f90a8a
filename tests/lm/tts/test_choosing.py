import itertools
import math

import pytest
import torch

from catok.lm.asr.likelihood import text_log_probs
from catok.lm.generation import Generated
from catok.lm.tts.choosing import STRIDE, Chooser
from tests.conftest import build, small_settings
from tests.lm.asr.conftest import make
from tests.lm.tts.conftest import voice

HOW = {"max_seconds": 0.8, "num_quantizers": 3}


@pytest.fixture(scope="module")
def judge(small_model):
    return make(small_model)


def readings(synth, text, seed, count):
    (request,) = [synth.request(text, reference=voice(), num_quantizers=3)]
    seeds = [seed + STRIDE * turn for turn in range(count)]
    return request, synth.speak([request] * count, seeds=seeds, **HOW)


def test_the_likeliest_reading_that_ended_is_kept(synth, judge):
    chosen = set()
    for seed in range(6):
        request, made = readings(synth, "a bed", seed, 5)
        scores = text_log_probs(judge, [speech.codes for speech in made], ["a bed"] * 5)
        wanted = max(range(5), key=lambda i: (made[i].seconds > 0, made[i].ended, scores[i]))
        chosen.add(wanted)
        (best,) = Chooser(judge, 5).speak(synth, [request], ["a bed"], seeds=[seed], **HOW)
        assert torch.equal(best.codes, made[wanted].codes)
        assert torch.allclose(best.audio, made[wanted].audio, atol=1e-5)
    assert len(chosen) > 1  # the first is not always the best


def test_one_candidate_is_the_plain_reading_and_a_batch_is_its_rows(synth, judge):
    requests = [synth.request(text, num_quantizers=3) for text in ("a cab", "fed")]
    plain = synth.speak(requests, seeds=[3, 4], **HOW)
    single = Chooser(judge, 1).speak(synth, requests, ["a cab", "fed"], seeds=[3, 4], **HOW)
    assert all(torch.equal(a.codes, b.codes) for a, b in zip(plain, single, strict=True))
    both = Chooser(judge, 3).speak(synth, requests, ["a cab", "fed"], seeds=[3, 4], **HOW)
    for index, text in enumerate(("a cab", "fed")):
        (alone,) = Chooser(judge, 3).speak(
            synth, [requests[index]], [text], seeds=[3 + index], **HOW
        )
        assert torch.equal(alone.codes, both[index].codes)


def test_narration_gives_the_chosen_pieces(synth, judge):
    chooser = Chooser(judge, 4)
    options = {"reference": voice(), "seed": 2, "max_length": 10, "pause": 0.0, **HOW}
    heard = torch.cat(list(synth.narrate("A bed. A cab.", chooser=chooser, **options)), dim=1)
    pieces = []
    for number, text in enumerate(("A bed.", "A cab.")):
        request = synth.request(text, reference=voice(), num_quantizers=3)
        pieces += chooser.speak(synth, [request], [text], seeds=[2 + number], **HOW)
    expected = torch.cat([speech.audio for speech in pieces], dim=1)
    assert heard.shape == expected.shape and torch.allclose(heard, expected, atol=1e-5)


def test_log_probabilities_are_of_all_ctc_paths(judge):
    codes = torch.randint(0, 64, (4, 2), generator=torch.Generator().manual_seed(1))
    heard = judge.listener.hear([codes], 4)
    table = judge.listener.ctc(heard.hidden[0]).double()  # 4 positions
    a, b = judge.text.encode("ab")
    blank = judge.listener.head.blank
    total = -math.inf
    for path in torch.cartesian_prod(*[torch.tensor([a, b, blank])] * 4).tolist():
        kept = [s for i, s in enumerate(path) if s != blank and (i == 0 or path[i - 1] != s)]
        if kept == [a, b]:
            total = math.log(math.exp(total) + math.exp(sum(table[range(4), path].tolist())))
    assert text_log_probs(judge, [codes], ["ab"]) == [pytest.approx(total / 2, rel=1e-4)]


def test_nothing_and_too_little_is_never_likely(judge):
    empty, short = torch.zeros(4, 0, dtype=torch.int64), torch.zeros(4, 1, dtype=torch.int64)
    assert text_log_probs(judge, [empty, short], ["a", "abcdef"]) == [-math.inf, -math.inf]
    assert text_log_probs(judge, [empty], ["a"]) == [-math.inf]
    assert text_log_probs(judge, [], []) == []


def test_what_does_not_fit_is_refused(synth, judge, small_model):
    request = synth.request("a bed")
    with pytest.raises(ValueError, match="candidates must be at least 1"):
        Chooser(judge, 0)
    with pytest.raises(ValueError, match="no CTC head"):
        Chooser(make(small_model, with_head=False), 2)
    with pytest.raises(ValueError, match="as many texts, got 0"):
        Chooser(judge, 2).speak(synth, [request], [], max_seconds=0.2)
    stranger = make(build(small_settings(), seed=9))
    with pytest.raises(ValueError, match="recogniser of the same tokenizer"):
        Chooser(stranger, 2).speak(synth, [request], ["a bed"], max_seconds=0.2)
    code = torch.zeros(4, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="1 texts, 2 recordings"):
        text_log_probs(judge, [code, code], ["a"])
    with pytest.raises(ValueError, match=r"\[2, 4\] codebooks"):
        text_log_probs(judge, [code, code[:2]], ["a", "b"])
    with pytest.raises(ValueError, match="empty text"):
        text_log_probs(judge, [code], [" "[:0]])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_silence_comes_last_and_cut_off_readings_before_it(synth, judge, monkeypatch, order):
    codes = torch.randint(0, 64, (3, 6), generator=torch.Generator().manual_seed(2))
    likely = Generated(codes, ended=False)
    others = [(codes + shift) % 64 for shift in range(1, 64)]
    scores = text_log_probs(judge, [codes, *others], ["a bed"] * 64)
    worse = next(other for other, s in zip(others, scores[1:], strict=True) if s < scores[0])
    ended, silent = Generated(worse, ended=True), Generated(codes[:, :0], ended=True)
    request = synth.request("a bed", num_quantizers=3)
    for kept, wanted in (((likely, ended, silent), ended), ((likely, likely, silent), likely)):
        made = [kept[place] for place in order]
        monkeypatch.setattr(synth, "write", lambda *a, _made=made, **k: _made)
        (best,) = Chooser(judge, 3).speak(synth, [request], ["a bed"], seeds=[0], **HOW)
        assert torch.equal(best.codes, wanted.codes) and best.ended == wanted.ended
