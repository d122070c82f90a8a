"""From recordings to codes: once, resumably, by as many processes as there are."""

import json

import pytest
import torch

from catok import Encoded, load_audio, save_audio
from catok.lm.training.manifest import Spoken, read_manifest
from catok.lm.training.tokens import code_file, token_folder, write_tokens
from catok.training.distributed import Group


class Half(Group):
    """One of two processes that need not wait for each other."""

    def wait(self) -> None:
        pass


@pytest.fixture
def manifest(tmp_path):
    """Three recordings, of which the last is none."""
    lines = []
    for index, samples in enumerate((5000, 30_001)):
        draw = torch.Generator().manual_seed(index)
        audio = torch.rand(1, samples, generator=draw) - 0.5
        save_audio(tmp_path / f"{index}.wav", audio, 24_000)
        lines.append({"audio": f"{index}.wav", "duration": 9.9, "text": "ä", "source": "me"})
    (tmp_path / "noise.wav").write_bytes(b"no audio")
    lines.append({"audio": "noise.wav", "duration": 1.0, "text": "gone"})
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def test_codes_are_those_of_the_whole_recording(manifest, codec, tmp_path):
    counted = []
    folder = token_folder(manifest, codec)
    recordings = read_manifest(manifest)
    path = write_tokens(recordings, folder, codec, report=lambda *n: counted.append(n))
    assert counted == [(1, 3), (2, 3), (3, 3)]
    found = read_manifest(path)
    assert [(r.text, r.voice, r.frames, r.weights) for r in found] == [
        ("ä", "me", 3, codec.weight_hash),
        ("ä", "me", 16, codec.weight_hash),
    ]
    for index, recording in enumerate(found):
        audio, _ = load_audio(tmp_path / f"{index}.wav")
        expected = codec.encode(audio[None])
        encoded = Encoded.load(recording.codes)
        assert torch.equal(encoded.codes, expected.codes)
        assert torch.equal(encoded.sample_lengths, expected.sample_lengths)
        assert recording.audio.resolve() == (tmp_path / f"{index}.wav").resolve()
    assert "noise.wav" in (folder / "skipped-0.jsonl").read_text()


def test_what_is_there_stays_and_what_is_broken_is_made_again(manifest, codec, tmp_path):
    recordings = read_manifest(manifest)
    first = write_tokens(recordings, tmp_path / "tokens", codec).read_bytes()
    files = [tmp_path / "tokens" / code_file(r) for r in recordings[:2]]
    before = [file.stat().st_mtime_ns for file in files]
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[:-3])
    assert write_tokens(recordings, tmp_path / "tokens", codec).read_bytes() == first
    assert files[1].read_bytes() == whole
    assert files[0].stat().st_mtime_ns == before[0]
    assert files[1].stat().st_mtime_ns != before[1]


def test_processes_share_the_work(manifest, codec, tmp_path):
    recordings = read_manifest(manifest)[:2]
    alone = write_tokens(recordings, tmp_path / "one", codec).read_text()
    counts = []
    for rank in (1, 0):  # the first one writes the list
        write_tokens(
            recordings,
            tmp_path / "two",
            codec,
            group=Half(rank, 2),
            report=lambda *n: counts.append(n),
        )
    assert counts == [(1, 1), (1, 1)]
    assert (tmp_path / "two" / "tokens.jsonl").read_text() == alone


def test_nothing_readable_is_an_error(tmp_path, codec):
    with pytest.raises(ValueError, match="no recording could be encoded"):
        write_tokens([Spoken(tmp_path / "no.wav", None, "a")], tmp_path / "tokens", codec)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1"),
        ("[1]", "needs an object"),
        ('{"text": "a"}', 'needs "audio" or "codes"'),
        ('{"audio": 1}', "audio must be a string"),
        ('{"codes": "a.cat", "frames": 1.5}', "frames must be a whole number"),
        ("", "lists no recordings"),
    ],
)
def test_bad_manifests_are_told(tmp_path, line, said):
    (tmp_path / "bad.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=said):
        read_manifest(tmp_path / "bad.jsonl")
    with pytest.raises(ValueError, match="no manifest"):
        read_manifest(tmp_path / "none.jsonl")
