"""A folder of recordings becomes shards: all of them, once, with the codes of each alone."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from catok.audio import load_audio
from catok.corpus import TokenDataset, encoding
from catok.corpus.job import TokenizeConfig, TooManyFailures, settings, tokenize
from catok.corpus.ledger import TokenFolder
from catok.io.lock import folder_lock

CONFIG = TokenizeConfig(shard_size=3, rows=2, frames=4)


@pytest.fixture
def speech(tmp_path):
    """Seven recordings of different lengths, and two that are none."""
    draw = np.random.default_rng(0)
    folder = tmp_path / "speech"
    folder.mkdir()
    for number in range(7):
        audio = 0.1 * draw.standard_normal((3000 + 7000 * (number % 3), 1))
        soundfile.write(folder / f"{number}.wav", audio, 16_000)
    (folder / "1x.wav").write_bytes(b"not audio")
    soundfile.write(folder / "3x.wav", np.zeros((0, 1)), 16_000)
    return folder


def rows(out):
    folder = TokenFolder.open(out)
    return [row for index, _ in folder.entries() for row in folder.format.read(folder.shard(index))]


def shards(out):
    return {path.name: path.read_bytes() for path in sorted(out.glob("shard-*"))}


def test_codes_and_columns_of_every_recording(small_model, speech, tmp_path):
    out = tmp_path / "tokens"
    (speech / "0.txt").write_text("zero")
    summary = tokenize(small_model, [speech], out, CONFIG)
    found = rows(out)
    assert [row.id for row in found] == [str(n) for n in range(7)]
    for row in found:
        audio, _ = load_audio(speech / f"{row.id}.wav", sample_rate=24_000)
        alone = small_model.encode(audio[None])
        assert row.samples == audio.shape[1]
        assert torch.equal(torch.from_numpy(row.codes.astype("int64")).T, alone.codes[0])
    assert found[0].columns["text"] == "zero"
    assert (summary.recordings, summary.failures, summary.kept) == (9, 2, 0)
    failed = [json.loads(line) for line in (out / "failed.jsonl").read_text().splitlines()]
    assert [line["id"] for line in failed] == ["1x", "3x"]
    assert all(line["reason"] for line in failed)


def test_a_finished_job_has_nothing_to_do(small_model, speech, tmp_path, monkeypatch):
    out = tmp_path / "tokens"
    tokenize(small_model, [speech], out, CONFIG)
    monkeypatch.setattr(small_model, "encode_step", None)
    summary = tokenize(small_model, [speech], out, CONFIG)
    assert (summary.recordings, summary.kept) == (0, 9)


@pytest.mark.parametrize("stop_after", [1, 4, 6, 8])
def test_a_stopped_job_goes_on_to_the_same_bytes(small_model, speech, tmp_path, stop_after):
    class Killed(BaseException):
        pass

    def kill(summary):
        if summary.recordings == stop_after:
            raise Killed

    whole, out = tmp_path / "whole", tmp_path / "tokens"
    tokenize(small_model, [speech], whole, CONFIG)
    with pytest.raises(Killed):
        tokenize(small_model, [speech], out, CONFIG, report=kill)
    summary = tokenize(small_model, [speech], out, CONFIG)
    assert summary.recordings + summary.kept == 9
    assert shards(out) == shards(whole)


def test_several_machines_share_the_shards(small_model, speech, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "tokens"
    tokenize(small_model, [speech], whole, CONFIG)
    for index in (1, 0):
        tokenize(small_model, [speech], out, replace(CONFIG, shard=(index, 2)))
    assert shards(out) == shards(whole)
    for path in sorted(speech.glob("*.wav"))[4:]:
        path.unlink()
    for index in (1, 0):
        tokenize(small_model, [speech], out, replace(CONFIG, shard=(index, 2)))
    assert len(shards(out)) == 2
    assert [row.id for row in rows(out)] == ["0", "1", "2"]


def test_a_replaced_recording_is_encoded_again(small_model, speech, tmp_path):
    out = tmp_path / "tokens"
    tokenize(small_model, [speech], out, CONFIG)
    before = {row.id: row.codes for row in rows(out)}
    soundfile.write(speech / "4.wav", 0.2 * np.sin(np.arange(9000) / 9)[:, None], 16_000)
    summary = tokenize(small_model, [speech], out, CONFIG)
    after = {row.id: row.codes for row in rows(out)}
    assert summary.recordings == 3  # its shard
    assert not np.array_equal(after["4"], before["4"])
    assert np.array_equal(after["5"], before["5"])


def test_failures_are_tried_again_when_asked(small_model, speech, tmp_path):
    out = tmp_path / "tokens"
    tokenize(small_model, [speech], out, CONFIG)
    again = TokenizeConfig(shard_size=3, rows=2, frames=4, retry_failed=True)
    assert tokenize(small_model, [speech], out, again).failures == 2
    for name in ("1x.wav", "3x.wav"):
        soundfile.write(speech / name, 0.1 * np.ones((4000, 1)), 16_000)
    assert tokenize(small_model, [speech], out, CONFIG).failures == 0
    assert len(rows(out)) == 9
    assert not (out / "failed.jsonl").exists()


def test_too_many_failures_end_the_run(small_model, speech, tmp_path):
    config = TokenizeConfig(shard_size=3, rows=2, frames=4, max_failures=1)
    with pytest.raises(TooManyFailures, match="2 recordings failed"):
        tokenize(small_model, [speech], tmp_path / "tokens", config)


def test_other_codes_are_refused(small_model, speech, tmp_path):
    out = tmp_path / "tokens"
    tokenize(small_model, [speech], out, CONFIG)
    fewer = TokenizeConfig(shard_size=3, num_quantizers=4)
    with pytest.raises(ValueError, match="num_quantizers 8 instead of 4"):
        tokenize(small_model, [speech], out, fewer)
    with pytest.raises(ValueError, match="parquet shards of 3"):
        tokenize(small_model, [speech], out, TokenizeConfig(shard_size=5))


@pytest.mark.parametrize("wanted", [0, 9, 2.5])
def test_a_wrong_number_of_codebooks_leaves_no_folder(small_model, speech, tmp_path, wanted):
    """Else it would refuse the right number as other codes."""
    out = tmp_path / "tokens"
    with pytest.raises(ValueError, match="num_quantizers"):
        tokenize(small_model, [speech], out, replace(CONFIG, num_quantizers=wanted))
    assert TokenFolder.create(out, settings(small_model, CONFIG)).settings.space.num_quantizers == 8


def test_settings_and_inputs_that_make_no_sense(small_model, tmp_path):
    with pytest.raises(ValueError, match="no format 'csv': there are parquet"):
        TokenizeConfig(format="csv")
    with pytest.raises(ValueError, match="max_failures must not be negative"):
        TokenizeConfig(max_failures=-1)
    with pytest.raises(ValueError, match=r"inputs is a list: give \['x.wav'\]"):
        tokenize(small_model, "x.wav", tmp_path / "tokens")


def test_two_runs_on_one_output_are_refused(small_model, speech, tmp_path):
    out = tmp_path / "tokens"
    with folder_lock(out), pytest.raises(ValueError):
        tokenize(small_model, [speech], out, CONFIG)


def test_silence_and_clipping_are_counted(small_model, tmp_path):
    folder = tmp_path / "speech"
    folder.mkdir()
    soundfile.write(folder / "silent.wav", np.zeros((5000, 1)), 24_000)
    soundfile.write(folder / "loud.wav", np.ones((5000, 1)), 24_000, subtype="FLOAT")
    summary = tokenize(small_model, [folder], tmp_path / "tokens", CONFIG)
    assert (summary.silent, summary.clipped, summary.failures) == (1, 1, 0)
    assert summary.bottleneck in ("reading", "model")
    assert encoding.SILENT < 0.01


def test_the_public_name_is_the_function():
    import catok.corpus

    assert catok.corpus.tokenize is tokenize


def test_contents_tell_what_times_do_not(small_model, tmp_path):
    folder = tmp_path / "speech"
    folder.mkdir()
    file = folder / "a.wav"
    soundfile.write(file, 0.1 * np.sin(np.arange(5000) / 5), 24_000)
    times = os.stat(file)
    config = TokenizeConfig(verify_content=True)
    tokenize(small_model, [folder], tmp_path / "out", config)
    assert tokenize(small_model, [folder], tmp_path / "out", config).kept == 1
    soundfile.write(file, 0.1 * np.sin(np.arange(5000) / 9), 24_000)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert tokenize(small_model, [folder], tmp_path / "out").kept == 1  # nothing to be seen
    assert tokenize(small_model, [folder], tmp_path / "out", config).recordings == 1


def test_tokens_of_other_recordings_are_not_replaced(small_model, audio, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    soundfile.write(other / "x.wav", np.zeros(5000), 24_000)
    out = tmp_path / "out"
    tokenize(small_model, [audio], out, CONFIG)
    with pytest.raises(ValueError, match="holds tokens of other recordings"):
        tokenize(small_model, [other], out, CONFIG)
    tokenize(small_model, [other], out, TokenizeConfig(shard_size=3, overwrite=True))
    assert [row["id"] for row in TokenDataset(out)] == ["x"]


def test_recordings_that_are_gone_leave_no_shard(small_model, audio, tmp_path):
    files = sorted(audio.glob("*.wav"))
    out = tmp_path / "out"
    tokenize(small_model, files, out, CONFIG)
    tokenize(small_model, files[:2], out, CONFIG)
    assert [row["id"] for row in TokenDataset(out)] == ["u0", "u1"]
    assert len(list(out.glob("shard-*"))) == 1
