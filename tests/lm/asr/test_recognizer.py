"""Recordings and codes to transcripts, with random weights."""

import dataclasses
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok import Encoded
from catok.lm.asr import DecodingConfig, Recognizer
from catok.lm.asr.ctc import CTCHead
from catok.lm.asr.prefill import request
from catok.lm.messages import assistant_message
from catok.lm.model import TokenLM
from catok.lm.prompt import PromptBuilder
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import SpeechModel
from catok.lm.text import ByteTokenizer
from tests.lm.asr.conftest import BEAM, CTC, GREEDY, QUICK, asr_config, noise, same


def test_the_prompt_in_parts_is_the_prompt_that_training_sees(recognizer):
    prompt, config = recognizer.prefiller.prompt, recognizer.model.config
    codes = torch.randint(64, (config.n_vq, 5))
    whole = PromptBuilder(config, recognizer.text).reply([request(codes)])
    assert torch.equal(torch.cat([prompt.opening, prompt.frames(codes), prompt.closing]), whole)
    with_answer = [request(codes), assistant_message("yes")]
    rows, labels = PromptBuilder(config, recognizer.text).training(with_answer)
    assert torch.equal(rows[: len(whole)], whole)
    assert labels[len(whole) - 1, 0] == recognizer.text.encode("y")[0]


def test_greedy_text_is_the_likeliest_token_by_token(recognizer):
    codes = torch.randint(64, (4, 6))
    found = recognizer.transcribe_codes(codes, GREEDY)
    rows = PromptBuilder(recognizer.model.config, recognizer.text).reply([request(codes)])
    model, config, total, tokens = recognizer.model, recognizer.model.config, 0.0, []
    while True:
        with torch.no_grad():
            hidden, _ = model.temporal(rows[None])
            logits = model.text_logits(hidden[:, -1])[0]
        logits[[0, 1, 3, 4, 5, 6, 7]] = float("-inf")
        token = int(logits.argmax()) if len(tokens) < 19 else config.im_end_token_id
        total += float(logits.log_softmax(0)[token])
        if token == config.im_end_token_id:
            break
        tokens.append(token)
        row = torch.full((1, config.channels), config.audio_pad_code)
        row[0, 0] = token
        rows = torch.cat([rows, row])
    assert found.tokens == tuple(tokens) and found.text == recognizer.text.decode(tokens).strip()
    assert found.log_prob == pytest.approx(total, rel=1e-4)
    assert found.ended == (len(tokens) < 19) and found.words is None


@pytest.mark.parametrize("config", [GREEDY, BEAM, CTC], ids=lambda c: c.method)
def test_recordings_of_a_batch_equal_themselves_alone(recognizer, config):
    config = dataclasses.replace(config, timestamps=True, batch=3)
    audio = [noise(n, seed=n) for n in (9_000, 31_000, 2_000, 15_000)]
    together = recognizer.transcribe(audio, 24_000, config)
    assert len({each.text for each in together}) == 4
    for each, samples in zip(together, audio, strict=True):
        same(each, recognizer.transcribe(samples, 24_000, config))


def test_a_beam_of_one_is_greedy(headless, recognizer):
    one = DecodingConfig("beam", beam=1, ctc_weight=0.0, **QUICK)
    for seed in range(5):
        audio = noise(20_000, seed=seed)
        same(headless.transcribe(audio, 24_000, one), headless.transcribe(audio, 24_000, GREEDY))
        same(recognizer.transcribe(audio, 24_000, one), headless.transcribe(audio, 24_000, GREEDY))


def test_a_wider_beam_finds_likelier_texts(headless):
    wide = DecodingConfig("beam", beam=6, length_power=0.0, **QUICK)
    audio = [noise(20_000, seed=seed) for seed in range(5)]
    greedy = [each.log_prob for each in headless.transcribe(audio, 24_000, GREEDY)]
    searched = [each.log_prob for each in headless.transcribe(audio, 24_000, wide)]
    assert all(s > g - 1e-3 for s, g in zip(searched, greedy, strict=True))
    assert sum(searched) > sum(greedy) + 1


def test_ctc_takes_part_in_the_search(recognizer):
    audio, alone = noise(20_000), dataclasses.replace(BEAM, ctc_weight=0.0)
    joint = recognizer.transcribe(audio, 24_000, BEAM)
    assert joint.tokens != recognizer.transcribe(audio, 24_000, alone).tokens


def test_audio_and_its_codes_give_the_same(recognizer, small_model):
    audio = noise(31_234)
    encoded = small_model.encode(audio[None])
    expected = recognizer.transcribe(audio, 24_000, BEAM)
    for codes in (encoded, encoded.codes[0], encoded.codes[0, :4]):
        same(recognizer.transcribe_codes(codes, BEAM), expected)
    flat, stereo = audio[0], audio.expand(2, -1)
    assert recognizer.transcribe(flat, 24_000, BEAM) == expected
    assert recognizer.transcribe(stereo, 24_000, BEAM) == expected
    assert recognizer.transcribe(stereo.numpy(), 24_000, BEAM) == expected  # not one per channel
    again = recognizer.transcribe(noise(48_000, 2), 48_000, GREEDY)
    assert again.tokens != expected.tokens


def test_fewer_codebooks_are_read_as_such(recognizer, small_model):
    codes = small_model.encode(noise(20_000)[None]).codes[0]
    two = dataclasses.replace(GREEDY, num_quantizers=2)
    other = codes.clone()
    other[2:] = (other[2:] + 1) % 64
    same(recognizer.transcribe_codes(codes, two), recognizer.transcribe_codes(other, two))
    same(recognizer.transcribe_codes(codes, two), recognizer.transcribe_codes(codes[:2], GREEDY))
    mixed = recognizer.transcribe_codes([codes, codes[:2], codes[:1]], GREEDY)
    assert len({each.tokens for each in mixed}) == 3
    same(mixed[1], recognizer.transcribe_codes(codes[:2], GREEDY))


def test_times_of_words_lie_on_the_grid_of_the_head(recognizer):
    config = dataclasses.replace(CTC, timestamps=True)
    words = recognizer.transcribe(noise(31_234), 24_000, config).words
    assert len(words) > 2
    for before, word in pairwise(words):
        assert 0 <= before.start < before.end <= word.end <= 17 * 0.08 + 1e-9
        assert before.start * 25 == pytest.approx(round(before.start * 25))  # 40 ms


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 99))
def test_a_text_longer_than_its_recording_has_no_times(recognizer, seed):
    config = dataclasses.replace(GREEDY, timestamps=True)
    codes = torch.randint(64, (4, 1), generator=torch.Generator().manual_seed(seed))
    found = recognizer.transcribe_codes(codes, config)
    assert (found.words is None) == (len(found.tokens) > 2)


def test_folders_bring_everything_back(tmp_path, small_model, recognizer):
    small_model.save_pretrained(tmp_path / "codec")
    recognizer.model.save_pretrained(tmp_path)
    SpeechConfig("codec", small_model.weight_hash, tasks=("asr",), languages=("en",)).save(tmp_path)
    audio = noise(15_000)
    plain = Recognizer.from_pretrained(tmp_path)
    assert not plain.has_ctc and plain.languages == ("en",)
    recognizer.prefiller.head.save(tmp_path)
    loaded = Recognizer.from_pretrained(str(tmp_path))
    assert loaded.has_ctc and loaded.name == tmp_path.name
    same(loaded.transcribe(audio, 24_000, BEAM), recognizer.transcribe(audio, 24_000, BEAM))
    half = Recognizer.from_pretrained(tmp_path, tokenizer=small_model, dtype=torch.bfloat16)
    assert half.transcribe(audio, 24_000, dataclasses.replace(BEAM, timestamps=True)).tokens
    CTCHead(8, 264).save(tmp_path)
    with pytest.raises(ValueError, match="the CTC head is for"):
        Recognizer.from_pretrained(tmp_path)
    SpeechConfig("codec", tasks=("tts",)).save(tmp_path)
    with pytest.raises(ValueError, match="not for asr"):
        Recognizer.from_pretrained(tmp_path)


def test_bad_input_is_refused(recognizer, headless, small_model):
    audio = noise(4_000)
    with pytest.raises(ValueError, match="no CTC head"):
        headless.transcribe(audio, 24_000, CTC)
    with pytest.raises(ValueError, match="no CTC head"):
        headless.transcribe(audio, 24_000, DecodingConfig(timestamps=True))
    with pytest.raises(ValueError, match="num_quantizers must be from 1 to 4"):
        recognizer.transcribe(audio, 24_000, DecodingConfig(num_quantizers=5))
    with pytest.raises(ValueError, match="NaN"):
        recognizer.transcribe(audio * float("nan"), 24_000)
    with pytest.raises(ValueError, match="empty"):
        recognizer.transcribe(audio[:, :0], 24_000)
    with pytest.raises(ValueError, match="int16"):
        recognizer.transcribe(audio.to(torch.int16), 24_000)
    with pytest.raises(ValueError, match="torch tensor"):
        recognizer.transcribe(["speech.wav"], 24_000)
    with pytest.raises(ValueError, match=r"shape \[B, C, T\]"):
        recognizer.transcribe(audio[None], 24_000)
    with pytest.raises(ValueError, match=r"must have shape \[K, F\]"):
        recognizer.transcribe_codes(torch.zeros(1, 4, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="valid are 0 to 63"):
        recognizer.transcribe_codes(torch.full((4, 3), 64))
    with pytest.raises(ValueError, match="Encoded of 2 rows"):
        recognizer.transcribe_codes(small_model.encode(noise(9_000)[None].expand(2, -1, -1)))
    other = Encoded(
        torch.zeros(1, 4, 1).long(), torch.tensor([9]), 24_000, 1, 1920, 64, "", "0" * 16
    )
    with pytest.raises(ValueError, match="made by another model"):
        recognizer.transcribe_codes(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "magic"}, "method must be"),
        ({"beam": 0}, "beam must be at least 1"),
        ({"max_seconds": 0}, "max_seconds must be above 0"),
        ({"ctc_weight": 1.5}, "ctc_weight must be from 0 to 1"),
        ({"length_power": -1}, "length_power must be at least 0"),
        ({"length_power": float("nan")}, "length_power must be a finite number"),
        ({"max_seconds": float("inf")}, "max_seconds must be a finite number"),
        ({"max_seconds": 3601}, "max_seconds must be above 0 and at most 3600"),
        ({"tokens_per_second": 1e300}, "tokens_per_second must be above 0 and at most 1000"),
        ({"tokens_per_second": float("nan")}, "tokens_per_second must be a finite number"),
        ({"num_quantizers": 0}, "num_quantizers must be at least 1"),
        ({"beam": 1.5}, "beam must be a whole number"),
        ({"batch": True}, "batch must be a whole number"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DecodingConfig(**changes)


@pytest.mark.slow
def test_a_model_that_learnt_two_recordings_tells_them_apart(small_model):
    """Trained for a moment on text and CTC: every method then writes what was said."""
    torch.manual_seed(0)
    model = TokenLM(dataclasses.replace(asr_config(), initializer_range=0.1))
    head = CTCHead(model.config.width, model.config.vocab_size, 2)
    recognizer = Recognizer(
        SpeechModel(model, ByteTokenizer(model.config), small_model, ctc_head=head)
    )
    texts, audio = ["hi you", "no 早"], [noise(24_000, seed=1), noise(30_000, seed=2)]
    prompt_builder = PromptBuilder(model.config, recognizer.text)
    examples = []
    for text, samples in zip(texts, audio, strict=True):
        codes = small_model.encode(samples[None], num_quantizers=4).codes[0]
        messages = [request(codes), assistant_message(text)]
        labels = torch.tensor([recognizer.text.encode(text)])
        examples.append((codes.shape[1], *prompt_builder.training(messages), labels))
    weights = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    opening = len(recognizer.prefiller.prompt.opening)
    for _ in range(100):
        loss = torch.zeros(())
        for frames, rows, labels, text in examples:
            hidden, _ = model.temporal(rows[None], keep_state=False)
            logits = model.text_logits(hidden[0])
            loss = loss + torch.nn.functional.cross_entropy(logits, labels[:, 0])
            heard = hidden[:, opening : opening + frames]
            sizes = torch.tensor([frames]), text, torch.tensor([text.shape[1]])
            loss = loss + head(heard, *sizes)[0] / text.shape[1]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    model.eval()
    for method in ("greedy", "beam", "ctc"):
        config = DecodingConfig(method, timestamps=True)
        found = recognizer.transcribe(audio, 24_000, config)
        assert [each.text for each in found] == texts
        assert [word.text for word in found[0].words] == ["hi", "you"]
        assert found[0].words[0].end <= found[0].words[1].start
        assert all(each.ended for each in found)
