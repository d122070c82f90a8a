"""Corpora of every layout give the codes of their recordings alone."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from catok.corpus import TokenDataset, TokenizeConfig, convert, tokenize
from catok.corpus.inputs import read_inputs

from .layouts import check, write_cuts, write_kaldi, write_parquet


def test_parquet_with_audio(small_model, audio, tmp_path):
    write_parquet(audio, tmp_path / "speech.parquet")
    rows = check(small_model, audio, [tmp_path / "speech.parquet"], tmp_path / "out")
    assert rows[0]["input_num_samples"] == 7
    assert rows[0]["audio"] == "u0.wav"
    config = TokenizeConfig(workers=2)
    check(small_model, audio, [tmp_path / "speech.parquet"], tmp_path / "more", config=config)


def test_parquet_without_audio_says_so(tmp_path):
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="no column of audio bytes, only text"):
        read_inputs([tmp_path / "x.parquet"])
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="damaged"):
        read_inputs([tmp_path / "x.parquet"])


def test_cuts_and_shar_become_shar_with_codes(small_model, audio, tmp_path):
    from lhotse import CutSet

    write_cuts(audio, tmp_path)
    check(small_model, audio, [tmp_path / "all.jsonl.gz"], tmp_path / "of_cuts")
    config = TokenizeConfig(format="shar")
    rows = check(small_model, audio, [tmp_path / "shar"], tmp_path / "out", config=config)
    fields = {
        "cuts": sorted(map(str, (tmp_path / "out").glob("cuts.*.jsonl.gz"))),
        "recording": sorted(map(str, (tmp_path / "shar").glob("recording.*.tar"))),
        "target_codes": sorted(map(str, (tmp_path / "out").glob("codes.*.tar"))),
    }
    assert [len(paths) for paths in fields.values()] == [3, 3, 3]  # as the input's
    cuts = list(CutSet.from_shar(fields=fields))
    for cut, row in zip(cuts, rows, strict=True):
        assert np.array_equal(cut.target_codes.load(), row["codes"].numpy())
        assert cut.target_codes.frame_shift == pytest.approx(1 / small_model.frame_rate)
        assert cut.supervisions[0].text == row["text"]
        assert cut.custom["snr"] == int(cut.id[1:])
        assert cut.load_audio().shape[1] == 4000 + 3000 * int(cut.id[1:])


def test_cuts_that_fail_keep_their_place(small_model, audio, tmp_path):
    from lhotse import CutSet

    write_cuts(audio, tmp_path)
    archive = tmp_path / "shar" / "recording.000001.tar"
    content = bytearray(archive.read_bytes())
    start = content.index(b"RIFF")
    content[start : start + 4] = b"junk"
    archive.write_bytes(content)
    out = tmp_path / "out"
    config = TokenizeConfig(format="shar", rows=2, frames=4)
    assert tokenize(small_model, [tmp_path / "shar"], out, config).failures == 1
    assert [row["id"] for row in TokenDataset(out)] == ["u0", "u1", "u3", "u4"]
    assert len(TokenDataset(out)) == 4
    fields = {
        "cuts": sorted(map(str, out.glob("cuts.*.jsonl.gz"))),
        "recording": sorted(map(str, (tmp_path / "shar").glob("recording.*.tar"))),
        "target_codes": sorted(map(str, out.glob("codes.*.tar"))),
    }
    found = {cut.id: cut.has_custom("target_codes") for cut in CutSet.from_shar(fields=fields)}
    assert found == {"u0": True, "u1": True, "u2": False, "u3": True, "u4": True}
    convert(out, tmp_path / "rows", "parquet")
    assert [row["id"] for row in TokenDataset(tmp_path / "rows")] == ["u0", "u1", "u3", "u4"]


def test_recordings_become_shar_too(small_model, audio, tmp_path):
    from lhotse import CutSet

    config = TokenizeConfig(format="shar", shard_size=3)
    rows = check(small_model, audio, [audio], tmp_path / "out", config=config)
    fields = {
        "cuts": sorted(map(str, (tmp_path / "out").glob("cuts.*.jsonl.gz"))),
        "target_codes": sorted(map(str, (tmp_path / "out").glob("codes.*.tar"))),
    }
    for cut, row in zip(CutSet.from_shar(fields=fields), rows, strict=True):
        assert np.array_equal(cut.target_codes.load(), row["codes"].numpy())
        assert cut.supervisions[0].text == row["text"]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_kaldi_folders(small_model, audio, tmp_path, scheme):
    write_kaldi(audio, tmp_path / "kaldi")
    rows = check(small_model, audio, [f"{scheme}{tmp_path}/kaldi"], tmp_path / "out")
    assert [row["speaker"] for row in rows] == [f"s{n}" for n in range(5)]


def test_a_lost_audio_column_is_said(tmp_path):
    content = io.BytesIO()
    soundfile.write(content, np.zeros(100), 24_000, format="WAV")
    rows = [{"bytes": content.getvalue(), "path": None}, {"bytes": None, "path": "x"}]
    pq.write_table(pa.table({"audio": rows}), tmp_path / "x.parquet")
    first, second = read_inputs([tmp_path / "x.parquet"])
    assert sum(block.shape[1] for block in first.blocks(24_000, 1)) == 100
    with pytest.raises(ValueError, match="holds no audio in row 1"):
        list(second.blocks(24_000, 1))
