"""`catok encode`: one file, folders, standard input and output."""

import io

import pytest
import torch

from catok import Encoded, load_audio, save_audio

from .conftest import noise


def test_writes_what_the_library_encodes(catok, recording, saved_model, capsys):
    assert catok("encode", recording) == 0
    expected = saved_model.encode(load_audio(recording)[0][None])
    written = Encoded.load(recording.with_suffix(".cat"))
    assert torch.equal(written.codes, expected.codes)
    assert written.sample_lengths.tolist() == [31_234]
    assert (written.model_id, written.weight_hash) == ("small", saved_model.weight_hash)
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.splitlines()[-1]
    assert line.startswith("catok: encoded 1.30 s of audio, 8 codebooks at 0.6 kbit/s, ")
    assert "times real time (real-time factor " in line


def test_blocks_of_a_long_file_give_the_codes_of_the_whole(catok, tmp_path, saved_model):
    save_audio(tmp_path / "long.wav", noise(24_000 * 25 + 77), 24_000)
    assert catok("encode", tmp_path / "long.wav", "-o", tmp_path / "x.cat") == 0
    expected = saved_model.encode(load_audio(tmp_path / "long.wav")[0][None])
    written = Encoded.load(tmp_path / "x.cat")
    assert torch.equal(written.codes, expected.codes)
    assert torch.equal(written.sample_lengths, expected.sample_lengths)


def test_quantizers_write_a_prefix(catok, recording, tmp_path):
    assert catok("encode", recording) == 0
    assert catok("encode", recording, "-o", tmp_path / "3.cat", "--quantizers", "3") == 0
    full, prefix = Encoded.load(recording.with_suffix(".cat")), Encoded.load(tmp_path / "3.cat")
    assert torch.equal(prefix.codes, full.codes[:, :3])


def test_stereo_of_another_rate_is_converted_with_a_note(catok, tmp_path, saved_model, capsys):
    save_audio(tmp_path / "cd.flac", noise(44_100, channels=2), 44_100)
    assert catok("encode", tmp_path / "cd.flac") == 0
    note = capsys.readouterr().err
    assert note.count("\n") == 2 and "44100 Hz and 2 channel(s)" in note
    audio, _ = load_audio(tmp_path / "cd.flac", sample_rate=24_000, channels=1)
    written = Encoded.load(tmp_path / "cd.cat")
    assert int(written.sample_lengths) == 24_000
    assert torch.equal(written.codes, saved_model.encode(audio[None]).codes)


def test_output_may_be_a_folder(catok, recording, tmp_path):
    (tmp_path / "codes").mkdir()
    assert catok("encode", recording, "-o", tmp_path / "codes") == 0
    assert (tmp_path / "codes" / "speech.cat").is_file()


def test_standard_input_and_output(catok, recording, stdin, capsysbinary):
    stdin(recording.read_bytes())
    assert catok("encode", "-") == 0
    piped = Encoded.load(io.BytesIO(capsysbinary.readouterr().out))
    assert catok("encode", recording) == 0
    assert torch.equal(piped.codes, Encoded.load(recording.with_suffix(".cat")).codes)


def test_folders_are_mirrored_and_a_bad_file_is_passed_over(catok, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "deep" / "out"
    (source / "a" / "b").mkdir(parents=True)
    save_audio(source / "one.wav", noise(2_000), 24_000)
    save_audio(source / "a" / "b" / "two.flac", noise(8_000, 2), 48_000)
    (source / "a" / "broken.wav").write_bytes(b"RIFF, or so they say")
    (source / "a" / ".hidden.wav").write_bytes(b"")
    (source / "notes.txt").write_text("no audio")
    assert catok("encode", source, "-o", out) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("catok: error: ") and "broken.wav" in lines[0]
    assert "encoded 2 of 3 files" in lines[1]
    assert "1 failed, 1 converted" in lines[1]
    written = sorted(str(f.relative_to(out)) for f in out.rglob("*") if f.is_file())
    assert written == ["a/b/two.cat", "one.cat"]


def test_of_many_what_exists_is_skipped_and_said(catok, tmp_path, capsys):
    for name in ("a.wav", "b.wav"):
        save_audio(tmp_path / name, noise(2_000), 24_000)
    (tmp_path / "a.cat").write_bytes(b"precious")
    for options in ((), ("--skip-existing",)):
        (tmp_path / "b.cat").unlink(missing_ok=True)
        assert catok("encode", tmp_path, *options) == 0
        assert (tmp_path / "a.cat").read_bytes() == b"precious"
        summary = capsys.readouterr().err
        assert "encoded 1 of 2 files" in summary and "1 skipped since they exist" in summary
    assert catok("encode", tmp_path, "--overwrite") == 0
    assert "encoded 2 of 2 files" in capsys.readouterr().err
    assert Encoded.load(tmp_path / "a.cat").num_quantizers == 8


def test_several_inputs_where_one_is_missing(catok, recording, tmp_path, capsys):
    missing = tmp_path / "nowhere" / "x.wav"
    assert catok("encode", recording, missing) == 1
    assert recording.with_suffix(".cat").is_file()
    assert not missing.parent.exists()
    assert "encoded 1 of 2 files" in capsys.readouterr().err


def test_recordings_that_are_cut_short_are_said_and_counted(catok, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    save_audio(folder / "whole.wav", noise(24_000), 24_000)
    (folder / "cut.wav").write_bytes((folder / "whole.wav").read_bytes()[:30_000])
    (folder / "notes.txt").touch()
    assert catok("encode", folder, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().err.splitlines()
    assert f"catok: warning: {folder / 'cut.wav'}: it is cut short: 29956 of 48000" in said[0]
    assert said[1].startswith("catok: encoded 2 of 2 files")
    assert said[1].endswith(", 1 not read whole; left out: 1 .txt")
    assert catok("encode", folder / "cut.wav", "-o", tmp_path / "cut.cat") == 0
    assert "catok: warning: " in capsys.readouterr().err


def test_a_name_too_long_for_the_suffix_ends_no_batch(catok, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    long = "x" * 252 + ".au"  # 255 bytes, the most; .cat would make it 256
    for name in ("a.wav", "z.wav", long):
        save_audio(folder / "a.wav", noise(2_400), 24_000)
        if name != "a.wav":
            (folder / name).write_bytes((folder / "a.wav").read_bytes())
    assert catok("encode", folder, "-o", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.cat", "z.cat"]
    assert "it has 256 bytes, a name may have 255: choose a shorter one" in said
    assert "encoded 2 of 3 files" in said and "1 failed" in said
    assert catok("encode", folder / "a.wav", "-o", tmp_path / ("é" * 126 + ".cat")) == 1
    assert "ame too long" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_workers_and_shards_do_it_together(catok, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for seed in range(4):
        save_audio(tmp_path / "in" / f"{seed}.wav", noise(3_000, seed=seed), 24_000)
    (tmp_path / "in" / "broken.wav").write_text("no audio")
    assert catok("encode", tmp_path / "in", "-o", tmp_path / "one") == 1
    capsys.readouterr()
    assert catok("encode", tmp_path / "in", "-o", tmp_path / "two", "--workers", "2") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "broken.wav" in lines[0] and "encoded 4 of 5 files" in lines[1]
    for part in ("1/2", "2/2"):
        catok("encode", tmp_path / "in", "-o", tmp_path / "three", "--shard", part)
    for folder in ("two", "three"):
        for seed in range(4):
            one, other = (tmp_path / name / f"{seed}.cat" for name in ("one", folder))
            assert one.read_bytes() == other.read_bytes()
