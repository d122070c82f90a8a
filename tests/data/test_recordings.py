"""Folders of the layouts in which speech corpora come."""

import pytest

from catok.data.recordings import read_recordings


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"audio")


def test_texts_beside_the_audio(tmp_path):
    touch(tmp_path, "a.wav", "deep/b.flac", "c.mp3", "d.wav")
    (tmp_path / "a.txt").write_text("\ufeffHello \n")
    (tmp_path / "deep/b.txt").write_text("there")
    (tmp_path / "d.txt").write_bytes(b"caf\xe9")
    found = {entry.name: entry for entry in read_recordings(tmp_path)}
    assert {name: entry.text for name, entry in found.items()} == {
        "a.wav": "Hello", "deep/b.flac": "there", "c.mp3": None, "d.wav": None,
    }  # fmt: skip
    assert "d.txt" in found["d.wav"].error and found["c.mp3"].error is None


def test_librispeech(tmp_path):
    touch(tmp_path, "61/7/61-7-0000.flac", "61/7/61-7-0001.wav", "61/7/other.flac")
    (tmp_path / "61/7/61-7.trans.txt").write_text("61-7-0000 HE SAID\n61-7-0001 NO\n61-7-2 GONE\n")
    found = [(e.audio.name, e.text, e.speaker) for e in read_recordings(tmp_path)]
    assert found == [
        ("61-7-0000.flac", "HE SAID", "61"),
        ("61-7-0001.wav", "NO", "61"),
        ("61-7-2.flac", "GONE", "61"),
        ("other.flac", None, None),
    ]


def test_ljspeech(tmp_path):
    touch(tmp_path, "wavs/LJ001-0001.wav", "wavs/LJ.2.flac")
    (tmp_path / "metadata.csv").write_text("LJ001-0001|In 1925|In nineteen\nLJ.2|Short\n")
    found = [(e.audio.name, e.text) for e in read_recordings(tmp_path)]
    assert found == [("LJ001-0001.wav", "In nineteen"), ("LJ.2.flac", "Short")]
    (tmp_path / "metadata.csv").write_text("LJ001-0001|a\nno text\n")
    with pytest.raises(ValueError, match=r"metadata.csv, line 2"):
        read_recordings(tmp_path)
    (tmp_path / "metadata.csv").write_text("file,license\n")  # of something else
    assert len(read_recordings(tmp_path)) == 2


def test_manifests_and_kaldi(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"audio": "a.wav", "text": "x"}\n')
    (tmp_path / "wav.scp").write_text("u a.wav\n")
    (tmp_path / "text").write_text("u x\n")
    for path in (tmp_path, tmp_path / "m.jsonl"):
        (found,) = read_recordings(path)
        assert (found.audio, found.text) == (tmp_path / "a.wav", "x")


def test_nothing_there(tmp_path):
    with pytest.raises(ValueError, match="lists no audio"):
        read_recordings(tmp_path)
    with pytest.raises(ValueError, match="no manifest or folder"):
        read_recordings(tmp_path / "none")
