"""From recordings to codes: once, resumably, by as many processes as there are."""

import json
import os

import pytest
import torch

from catok import load_audio, save_audio
from catok.corpus import TokenizeConfig, tokenize
from catok.corpus.token_entries import read_codes
from catok.data.entry import Entry
from catok.data.recordings import read_recordings
from catok.training.engine.distributed import Group
from catok.training.lm import prepare
from catok.training.lm.prepare import open_corpus, token_folder, write_tokens
from catok.training.lm.train_config import LMDataConfig
from tests.conftest import build, small_settings


class Half(Group):
    """One of two processes that need not wait for each other."""

    def barrier(self) -> None:
        pass


@pytest.fixture
def manifest(tmp_path):
    """Three recordings, of which the last is none."""
    lines = []
    for index, samples in enumerate((5000, 30_001)):
        draw = torch.Generator().manual_seed(index)
        audio = torch.rand(1, samples, generator=draw) - 0.5
        save_audio(tmp_path / f"{index}.wav", audio, 24_000)
        lines.append(
            {
                "audio": f"{index}.wav",
                "duration": 9.9,
                "text": "ä",
                "speaker": "me",
                "instruction": "Low.",
                "language": "en",
            }
        )
    (tmp_path / "noise.wav").write_bytes(b"no audio")
    lines.append({"audio": "noise.wav", "duration": 1.0, "text": "gone"})
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def codes_of(entry):
    return torch.from_numpy(read_codes(entry.codes, 8).astype("int64"))


def shards(folder):
    return {path.name: path.read_bytes() for path in folder.glob("shard-*")}


def test_codes_are_those_of_the_whole_recording(manifest, codec, tmp_path):
    counted = []
    folder = token_folder(manifest, codec)
    recordings = read_recordings(manifest)
    found = write_tokens(recordings, folder, codec, report=lambda *n: counted.append(n))
    assert counted[-1] == (3, 3)
    assert [(r.text, r.speaker, r.frames, r.weights) for r in found] == [
        ("ä", "me", 3, codec.weight_hash),
        ("ä", "me", 16, codec.weight_hash),
    ]
    assert [(r.extra["instruction"], r.language) for r in found] == [("Low.", "en")] * 2
    for index, entry in enumerate(found):
        audio, _ = load_audio(tmp_path / f"{index}.wav")
        assert torch.equal(codes_of(entry), codec.encode(audio[None]).codes[0])
    assert "noise.wav" in (folder / "failed.jsonl").read_text()


def test_what_is_there_stays_and_what_changed_is_made_again(manifest, codec, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "SHARD_SIZE", 1)
    recordings, folder = read_recordings(manifest), tmp_path / "tokens"
    write_tokens(recordings, folder, codec)
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*.bin")}
    save_audio(tmp_path / "0.wav", 0.1 * torch.ones(1, 5000), 24_000)  # of the same length
    os.utime(tmp_path / "0.wav", ns=(1, 1))
    found = write_tokens(recordings, folder, codec)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*.bin")}
    assert before["shard-000001.bin"] == after["shard-000001.bin"]
    audio, _ = load_audio(tmp_path / "0.wav")
    assert torch.equal(codes_of(found[0]), codec.encode(audio[None]).codes[0])
    assert len(write_tokens(recordings[:1], folder, codec)) == 1
    assert [path.name for path in folder.glob("shard-*.bin")] == ["shard-000000.bin"]


def test_processes_share_the_work(manifest, codec, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "SHARD_SIZE", 1)
    recordings = read_recordings(manifest)
    write_tokens(recordings, tmp_path / "one", codec)
    counts = []
    for rank in (1, 0):
        found = write_tokens(
            recordings,
            tmp_path / "two",
            codec,
            group=Half(rank, 2),
            report=lambda *n: counts.append(n),
        )
    assert [count for count in counts if count[0] == count[1]] == [(1, 1), (2, 2)]
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    assert len(found) == 2
    failed = [(tmp_path / name / "failed.jsonl").read_text() for name in ("one", "two")]
    assert failed[0] == failed[1]


def test_nothing_readable_is_an_error(tmp_path, codec):
    with pytest.raises(ValueError, match=r"no recording could be encoded; see .*failed\.jsonl"):
        write_tokens([Entry(tmp_path / "no.wav", text="a")], tmp_path / "tokens", codec)


def test_codes_that_are_there_keep_their_place(manifest, codec, tmp_path):
    audio, _ = load_audio(tmp_path / "1.wav")
    codec.encode(audio[None]).save(tmp_path / "1.cat")
    recordings = read_recordings(manifest)
    with_codes = [recordings[0], Entry(None, tmp_path / "1.cat", "1", text="b"), *recordings[1:]]
    found = write_tokens(with_codes, tmp_path / "tokens", codec)
    assert [entry.text for entry in found] == ["ä", "b", "ä"]
    assert torch.equal(codes_of(found[1]), codes_of(found[2]))


def test_parts_of_a_file_and_long_names(codec, tmp_path):
    audio = torch.rand(1, 24_000, generator=torch.Generator().manual_seed(0)) - 0.5
    path = tmp_path / ("\U0001f3a7" * 60 + ".wav")
    save_audio(path, audio, 24_000)
    parts = [{"offset": 0.25, "duration": 0.5}, {"offset": 0.5}, {"offset": 1.5}, {}]
    lines = [json.dumps({"audio": path.name, "text": "x"} | part) for part in parts]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    made = write_tokens(read_recordings(tmp_path / "m.jsonl"), tmp_path / "t", codec)
    stored = load_audio(path)[0]
    pieces = (stored[:, 6000:18_000], stored[:, 12_000:], stored)
    for entry, piece in zip(made, pieces, strict=True):
        assert torch.equal(codes_of(entry), codec.encode(piece[None]).codes[0])
    assert len((tmp_path / "t" / "failed.jsonl").read_text().splitlines()) == 1


def test_folders_go_beside_themselves(codec, tmp_path):
    (tmp_path / "corpus.v1").mkdir()
    expected = tmp_path / f"corpus.v1.tokens-{codec.weight_hash}"
    assert token_folder(tmp_path / "corpus.v1", codec) == expected


def test_a_folder_of_speech_is_a_corpus(networks, tmp_path):
    (tmp_path / "speech").mkdir()
    for name in "ab":
        save_audio(tmp_path / f"speech/{name}.wav", torch.rand(1, 12_000) - 0.5, 24_000)
        (tmp_path / f"speech/{name}.txt").write_text(f"text {name}")
    (tmp_path / "speech/c.wav").write_bytes(b"no audio")
    corpus = open_corpus(tmp_path / "speech", networks, LMDataConfig())
    assert [u.text for u in corpus.utterances] == ["text a", "text b"]
    assert corpus.skipped == {"cannot be encoded": 1}


@pytest.mark.parametrize("form", ["parquet", "memmap"])
def test_shards_are_a_corpus(manifest, codec, networks, tmp_path, form):
    out = tmp_path / "tokens"
    tokenize(codec, [manifest], out, TokenizeConfig(format=form))
    corpus = open_corpus(out, networks, LMDataConfig(min_seconds=0.1))
    alone = open_corpus(manifest, networks, LMDataConfig(min_seconds=0.1))
    assert len(corpus) == len(alone) == 2
    for index in range(2):
        assert torch.equal(corpus.codes(index), alone.codes(index))
        mine, theirs = corpus.utterances[index], alone.utterances[index]
        assert (mine.text, mine.fields, mine.voice) == (theirs.text, theirs.fields, theirs.voice)


def test_shards_of_another_codec_are_refused(manifest, codec, networks, tmp_path):
    other = build(small_settings(), seed=7)
    tokenize(other, [manifest], tmp_path / "tokens")
    with pytest.raises(ValueError, match="another audio tokenizer"):
        open_corpus(tmp_path / "tokens", networks, LMDataConfig(min_seconds=0.1))
