import json

import pytest

from catok import save_audio
from catok.training.codec.data import left_out, read_cuts

from .conftest import RATE, audio_bytes, levels, source, tone, write_lines


def test_our_lines(corpus):
    cuts = list(read_cuts(corpus, domain="other"))
    assert [cut.duration for cut in cuts] == [2.0, 1.0, 0.05]
    assert cuts[0].custom == {"domain": "speech", "band_edge": 4000.0}
    assert cuts[0].supervisions[0].text == "say a"
    assert not read_cuts(corpus).is_lazy


def test_a_folder_of_files(tmp_path):
    (tmp_path / "deep").mkdir()
    save_audio(tmp_path / "deep" / "a.flac", tone(0.1, 1.0), RATE)
    save_audio(tmp_path / "b.wav", tone(0.1, 0.5), RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "notes.txt").write_text("no audio")
    cuts = list(read_cuts(tmp_path, domain="music"))
    assert sorted(cut.duration for cut in cuts) == [0.5, 1.0, 1.0]
    assert {cut.custom["domain"] for cut in cuts} == {"music"}
    batches = [source(read_cuts(tmp_path)).batch(step) for step in range(3)]
    assert any("broken.wav" in reason for batch in batches for reason in batch.skipped)


@pytest.mark.parametrize("name", ["cuts.jsonl", "train.jsonl.gz"])
def test_a_lhotse_manifest(corpus, name):
    from lhotse import CutSet, Recording, SupervisionSegment
    from lhotse.cut import MonoCut

    path = corpus.parent / "stereo.wav"
    audio = tone(0.1, 1.0, channels=2)
    audio[1] = 0.5
    save_audio(path, audio, RATE)
    recording = Recording.from_file(path)
    words = SupervisionSegment(id="s", recording_id="r", start=0.0, duration=0.5, text="left")
    cut = MonoCut(
        id="x", start=0.25, duration=0.6, channel=1, recording=recording, supervisions=[words]
    )
    CutSet([cut]).to_file(corpus.parent / name)
    cuts = read_cuts(corpus.parent / name, domain="calls")
    assert next(iter(cuts)).custom["domain"] == "calls"
    batch = source(cuts, batch_size=2, mode="buckets", num_buckets=2, batch_seconds=30.0).batch(0)
    assert batch.lengths.unique().tolist() == [round(0.6 * RATE)]
    assert set(batch.texts) == {"left"}
    assert (levels([batch]) - 0.5).abs().max() < 1e-3, "the other channel was read"


def test_a_kaldi_folder_with_segments(tmp_path):
    audio = tone(0.1, 3.0)
    audio[:, RATE : 2 * RATE] = 0.4
    save_audio(tmp_path / "long.wav", audio, RATE)
    (tmp_path / "wav.scp").write_text("rec long.wav\n")
    (tmp_path / "segments").write_text("u1 rec 0 1\nu2 rec 1.0 2.0\nu3 rec 2.5 -1\n")
    (tmp_path / "text").write_text("u1 first words\nu2\tsecond\n")
    (tmp_path / "utt2spk").write_text("u1 ann\nu2 bob\nu3 ann\n")
    cuts = list(read_cuts(tmp_path))
    assert [(cut.start, cut.duration) for cut in cuts] == [(0, 1), (1, 1), (2.5, 0.5)]
    assert [cut.supervisions[0].text for cut in cuts[:2]] == ["first words", "second"]
    assert cuts[1].supervisions[0].speaker == "bob" and not cuts[2].supervisions
    batch = source(read_cuts(tmp_path), crop_seconds=2.0, batch_size=16).batch(0)
    for row, text in enumerate(batch.texts):
        expected = 0.4 if text == "second" else 0.1
        assert (batch.audio[row, 0, : batch.lengths[row]] - expected).abs().max() < 1e-3


def test_a_kaldi_folder_without_segments(tmp_path):
    save_audio(tmp_path / "a.wav", tone(0.1, 0.5), RATE)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path / 'a.wav'}\nlost {tmp_path / 'lost.wav'}\n")
    (tmp_path / "reco2dur").write_text("lost 3.5\n")
    assert [cut.duration for cut in read_cuts(tmp_path)] == [0.5, 3.5]
    (tmp_path / "wav.scp").write_text("a sph2pipe a.sph |\n")
    with pytest.raises(ValueError, match=r"wav.scp, line 1: .*what pipes give"):
        read_cuts(tmp_path)
    (tmp_path / "wav.scp").write_text("a a.wav\n")
    for segments, message in (("u a 1\n", "line 1"), ("u b 0 1\n", "has no b")):
        (tmp_path / "segments").write_text(segments)
        with pytest.raises(ValueError, match=message):
            read_cuts(tmp_path)


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_shar_folder(corpus, form):
    from lhotse import CutSet, Recording
    from lhotse.shar import SharWriter

    recordings = [Recording.from_file(corpus.parent / f"{name}.wav") for name in "abc"]
    cuts = CutSet([recording.to_cut() for recording in recordings])
    cuts[0].custom = {"domain": "music"}
    folder = corpus.parent / "shar"
    folder.mkdir()
    with SharWriter(folder, fields={"recording": form}, shard_size=2) as writer:
        for cut in cuts:
            writer.write(cut)
    read = read_cuts(folder, domain="speech")
    assert read.is_lazy and len(read.data.parts) == 2
    found = [(cut.id, cut.duration, cut.custom["domain"]) for cut in read]
    assert [duration for _, duration, _ in found] == [2.0, 1.0, 0.05]
    assert [domain for *_, domain in found] == ["music", "speech", "speech"]
    heard = levels([source(read).batch(step) for step in range(8)])
    assert {round(level, 1) for level in heard.tolist()} == {0.1, 0.2, 0.3}
    next(folder.glob("recording.000001.tar")).unlink()
    with pytest.raises(ValueError, match="recording.000001.tar"):
        read_cuts(folder)


def test_webdataset(archives):
    for path in (archives, archives / "s-{00..03}.tar", str(archives / "s-*.tar")):
        cuts = list(read_cuts(path))
        assert len(cuts) == 24
    assert cuts[3].supervisions[0].text == "word 3" and cuts[3].custom["band_edge"] == 1003
    assert len(list(read_cuts(archives / "s-01.tar"))) == 6
    for bad in ("s-{00..07}.tar", "none.tar", "t-*.tar"):
        with pytest.raises(ValueError, match="no archive"):
            read_cuts(archives / bad)
    with pytest.raises(ValueError, match="compressed"):
        read_cuts(archives / "s.tar.gz")


def test_webdataset_text_files_and_unstated_durations(tmp_path):
    from .conftest import write_tar

    files = {
        "a.flac": audio_bytes(0.1, 0.5),
        "a.txt": b"hello \n",
        "b.flac": b"not audio",
        "c.flac": audio_bytes(0.1, 0.5),
        "c.json": b"{",
        "d.json": b"{}",
    }
    a, b, c, d = read_cuts(write_tar(tmp_path / "x.tar", files))
    assert a.duration == 0.5 and a.supervisions[0].text == "hello"
    assert {cut.recording.sources[0].type for cut in (b, c, d)} == {"unreadable"}


def test_bad_manifests(tmp_path):
    with pytest.raises(ValueError, match="no manifest or folder"):
        read_cuts(tmp_path / "none.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="lists no audio"):
        read_cuts(tmp_path / "empty")
    good = {"audio": "x.wav", "duration": 1.0}
    bad = [
        {**good, "duration": -1},
        {**good, "task": "sing"},
        {**good, "text": 3},
        {"type": "Tape"},
    ]
    bad += [{"audoi": "x.wav"}, {**good, "ofset": 1}, [], {"type": "MonoCut", "id": "x"}]
    for line in ("{", *map(json.dumps, bad)):
        path = tmp_path / "bad.jsonl"
        path.write_text(json.dumps(good) + "\n\n" + line)
        with pytest.raises(ValueError, match=r"bad.jsonl, line 3"):
            read_cuts(path)
    write_lines(path, [])
    with pytest.raises(ValueError, match="lists no audio"):
        read_cuts(path)
    (tmp_path / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08 broken")
    with pytest.raises(ValueError, match="cannot be read after line 0"):
        read_cuts(tmp_path / "cut.jsonl.gz")


def test_an_offset_is_where_the_recording_begins_in_its_file(tmp_path):
    audio = tone(0.1, 3.0)
    audio[:, RATE : 2 * RATE] = 0.4
    save_audio(tmp_path / "long.wav", audio, RATE)
    part = {"audio_filepath": "long.wav", "offset": 1.0, "duration": 1.0}
    lines = [part, {"audio": "long.wav", "offset": 2.5}, {"audio": "long.wav", "offset": 3.0}]
    cuts = list(read_cuts(write_lines(tmp_path / "m.jsonl", lines)))
    assert [(cut.start, cut.duration) for cut in cuts[:2]] == [(1.0, 1.0), (2.5, 0.5)]
    assert "begins at 3 s" in cuts[2].recording.sources[0].source
    one = read_cuts(write_lines(tmp_path / "one.jsonl", [part]))
    batch = source(one, crop_seconds=2.0).batch(0)
    assert set(batch.lengths.tolist()) == {RATE}, "nothing of what comes after it is read"
    assert (levels([batch]) - 0.4).abs().max() < 1e-3


def test_a_folder_with_texts(tmp_path):
    for name in "ab":
        save_audio(tmp_path / f"{name}.wav", tone(0.1, 0.5), RATE)
    (tmp_path / "a.txt").write_text("words")
    a, b = read_cuts(tmp_path)
    assert a.supervisions[0].text == "words" and not b.supervisions
    (tmp_path / "notes.txt").write_text("of nothing")
    (tmp_path / "paper.pdf").write_text("")
    assert left_out(tmp_path) == "1 .pdf, 1 .txt"


def test_lhotse_cuts_that_cannot_be_read_as_they_are(tmp_path):
    from lhotse import AudioSource, Recording
    from lhotse.cut import MonoCut

    def lines(**changes):
        recording = Recording("r", [AudioSource("file", [0], "a.wav")], RATE, RATE, 1.0)
        cut = MonoCut("x", start=0.0, duration=1.0, channel=0, recording=recording).to_dict()
        for key, value in changes.items():
            place = cut if key in ("start", "duration") else cut["recording"]
            place[key.removeprefix("total_")] = value
        return write_lines(tmp_path / "cuts.jsonl", [cut])

    assert len(read_cuts(lines())) == 1
    speed = [{"name": "Speed", "kwargs": {"factor": 1.1}}]
    for changes, said in (
        ({"transforms": speed}, "is transformed"),
        ({"duration": 1e305}, "must last up to"),
        ({"total_duration": -1.0}, "must last up to"),
        ({"start": 5.0}, "begins at 5.0 s"),
    ):
        with pytest.raises(ValueError, match=rf"line 1.*{said}"):
            read_cuts(lines(**changes))
