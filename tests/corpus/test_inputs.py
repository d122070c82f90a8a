"""Corpora of every layout, here and by URL, give the codes of their recordings alone."""

import io
import json
import os
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from catok.audio import load_audio
from catok.corpus import TokenDataset, TokenizeConfig, convert, tokenize
from catok.corpus.inputs import read_inputs
from catok.corpus.reading import Reader
from catok.corpus.storage import storage_at

CONFIG = TokenizeConfig(shard_size=3, rows=2, frames=4)


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    """Five recordings at 16 kHz, with texts."""
    folder = tmp_path_factory.mktemp("audio")
    draw = np.random.default_rng(0)
    for number in range(5):
        samples = 0.1 * draw.standard_normal(4000 + 3000 * number)
        soundfile.write(folder / f"u{number}.wav", samples, 16_000)
        (folder / f"u{number}.txt").write_text(f"text {number}")
    return folder


def check(small_model, audio, inputs, out, count=5, config=CONFIG):
    """Every recording is there, with its text and the codes that it has alone."""
    summary = tokenize(small_model, inputs, out, config)
    assert summary.failures == 0
    rows = list(TokenDataset(out))
    assert [row["id"] for row in rows] == [f"u{n}" for n in range(count)]
    for number, row in enumerate(rows):
        samples, _ = load_audio(audio / f"u{number}.wav", sample_rate=24_000)
        assert torch.equal(row["codes"], small_model.encode(samples[None]).codes[0])
        assert row["text"] == f"text {number}"
    return rows


def write_parquet(audio, path):
    """As `datasets` writes a data set with an Audio column, in row groups of two."""
    files = sorted(audio.glob("*.wav"))
    table = pa.table(
        {
            "audio": [{"bytes": file.read_bytes(), "path": file.name} for file in files],
            "text": [f"text {n}" for n in range(len(files))],
            "num_samples": [7] * len(files),
        }
    )
    pq.write_table(table, path, row_group_size=2)


def write_tar(audio, path):
    with tarfile.open(path, "w") as archive:
        for file in sorted(audio.iterdir()):
            archive.add(file, file.name)


def write_cuts(audio, folder):
    """A manifest of lhotse cuts and a Shar folder, two cuts to a shard."""
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    def cut(number):
        recording = Recording.from_file(audio / f"u{number}.wav", recording_id=f"u{number}")
        length = recording.duration
        said = SupervisionSegment(f"u{number}", f"u{number}", 0, length, text=f"text {number}")
        custom = {"snr": number}
        return MonoCut(f"u{number}", 0, length, 0, [said], recording=recording, custom=custom)

    cuts = CutSet.from_cuts(cut(number) for number in range(5))
    cuts.to_file(folder / "all.jsonl.gz")
    (folder / "shar").mkdir()
    cuts.to_shar(folder / "shar", fields={"recording": "wav"}, shard_size=2)


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


@pytest.fixture
def server(audio, tmp_path):
    """An HTTP server of a manifest, an archive, a table and audio: the address of its root."""
    root = tmp_path / "served"
    root.mkdir()
    write_parquet(audio, root / "speech.parquet")
    write_tar(audio, root / "speech.tar")
    lines = [{"audio": f"wav/u{n}.wav", "id": f"u{n}", "text": f"text {n}"} for n in range(5)]
    (root / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (root / "wav").symlink_to(audio)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root))
    Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


@pytest.mark.parametrize("name", ["list.jsonl", "speech.tar", "speech.parquet"])
def test_inputs_from_a_server(small_model, audio, server, tmp_path, name):
    check(small_model, audio, [f"{server}/{name}"], tmp_path / "out")


def write_kaldi(audio, folder):
    """Audio in a folder beside the tables; the first recording is a part of one twice as long."""
    (folder / "wav").mkdir(parents=True)
    files = sorted(audio.glob("*.wav"))
    for file in files[1:]:
        (folder / "wav" / file.name).write_bytes(file.read_bytes())
    samples, rate = soundfile.read(files[0])
    soundfile.write(folder / "wav/long.wav", np.concatenate((samples, samples)), rate)
    names = {file.stem: f"wav/{file.name}" for file in files[1:]} | {"long": "wav/long.wav"}
    (folder / "wav.scp").write_text("".join(f"{key} {value}\n" for key, value in names.items()))
    lengths = {file.stem: soundfile.info(file).duration for file in files}
    lines = [f"{name} {name} 0 {length}" for name, length in lengths.items()]
    lines[0] = lines[0].replace("u0 u0", "u0 long")
    (folder / "segments").write_text("\n".join(lines))
    (folder / "text").write_text("".join(f"u{n} text {n}\n" for n in range(5)))
    (folder / "utt2spk").write_text("".join(f"u{n} s{n}\n" for n in range(5)))


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_kaldi_folders(small_model, audio, tmp_path, scheme):
    write_kaldi(audio, tmp_path / "kaldi")
    rows = check(small_model, audio, [f"{scheme}{tmp_path}/kaldi"], tmp_path / "out")
    assert [row["speaker"] for row in rows] == [f"s{n}" for n in range(5)]


def test_cuts_and_shar_by_url(small_model, audio, tmp_path):
    write_cuts(audio, tmp_path)
    check(small_model, audio, [f"file://{tmp_path}/all.jsonl.gz"], tmp_path / "of_cuts")
    config = TokenizeConfig(format="shar")
    out = tmp_path / "out"
    check(small_model, audio, [f"file://{tmp_path}/shar"], out, config=config)
    assert len(list(out.glob("codes.*.tar"))) == 3  # as the input's
    tokenize(small_model, [tmp_path / "shar"], tmp_path / "here", config)
    assert [file.read_bytes() for file in sorted(out.glob("c*s.*"))] == [
        file.read_bytes() for file in sorted((tmp_path / "here").glob("c*s.*"))
    ]


def test_what_a_server_does_not_have(server, small_model, tmp_path):
    with pytest.raises(ValueError, match="none.jsonl"):
        read_inputs([f"{server}/none.jsonl"])
    lines = [{"audio": f"{server}/wav/u0.wav"}, {"audio": f"{server}/wav/gone.wav"}]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    summary = tokenize(small_model, [tmp_path / "list.jsonl"], tmp_path / "out", CONFIG)
    assert (summary.recordings, summary.failures) == (2, 1)
    assert "gone.wav" in (tmp_path / "out" / "failed.jsonl").read_text()


@pytest.mark.parametrize("place", ["memory", "file"])
def test_folders_by_url(small_model, audio, tmp_path, place):
    import fsspec

    url = f"file://{tmp_path}/there" if place == "file" else "memory://there"
    system, root = fsspec.core.url_to_fs(url)
    system.makedirs(root, exist_ok=True)
    for file in audio.iterdir():
        with system.open(f"{root}/{file.name}", "wb") as copy:
            copy.write(file.read_bytes())
    check(small_model, audio, [url], tmp_path / "out")


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


class Deadly:
    """Stands for a recording that kills the process which reads it."""

    def blocks(self, *_):
        os._exit(1)


def test_what_kills_its_reader_is_a_failure_of_its_own(audio):
    good = read_inputs([audio])
    recordings = [(0, good[0]), (1, Deadly()), (2, good[1]), (3, good[2])]
    lengths, errors = {}, {}
    for key, blocks in Reader(24_000, 1, workers=1).read(recordings):
        try:
            lengths[key] = sum(block.shape[1] for block in blocks)
        except ValueError as error:
            errors[key] = str(error)
    assert set(lengths) == {0, 2, 3}
    assert "process that read it died" in errors[1]


def test_a_lost_audio_column_is_said(tmp_path):
    content = io.BytesIO()
    soundfile.write(content, np.zeros(100), 24_000, format="WAV")
    rows = [{"bytes": content.getvalue(), "path": None}, {"bytes": None, "path": "x"}]
    pq.write_table(pa.table({"audio": rows}), tmp_path / "x.parquet")
    first, second = read_inputs([tmp_path / "x.parquet"])
    assert sum(block.shape[1] for block in first.blocks(24_000, 1)) == 100
    with pytest.raises(ValueError, match="holds no audio in row 1"):
        list(second.blocks(24_000, 1))


MOSS = ("text", "instruction", "tokens", "quality", "sound_event", "ambient_sound", "language")


def read_as_moss_tts(line):
    """What moss_tts_delay/finetuning/dataset.py of OpenMOSS/MOSS-TTS reads, at 58b20a0."""
    codes = torch.as_tensor(line["audio_codes"], dtype=torch.long)  # [T, n_vq]
    assert codes.ndim == 2
    references = [line.get(key) for key in ("reference", "reference_audio", "ref_audio")]
    return codes, {key: line[key] for key in MOSS if line.get(key) is not None}, references


def read_as_qwen3_tts(line):
    """What finetuning/dataset.py of QwenLM/Qwen3-TTS reads, at 0c10f25."""
    codes = torch.tensor(line["audio_codes"], dtype=torch.long)  # [T, 16]
    codes[:, 0]
    return codes, line["audio"], line["text"], line["ref_audio"], line.get("language", "Auto")


def test_jsonl_has_the_keys_of_published_scripts(small_model, audio, tmp_path):
    line = {
        "audio": str(audio / "u1.wav"),
        "text": "What is said.",
        "language": "English",
        "ref_audio": str(audio / "u0.wav"),
        "instruction": "Speak low.",
    }
    (tmp_path / "list.jsonl").write_text(json.dumps(line))
    config = TokenizeConfig(format="jsonl", num_quantizers=6)
    tokenize(small_model, [tmp_path / "list.jsonl"], tmp_path / "out", config)
    (made,) = map(json.loads, (tmp_path / "out" / "shard-000000.jsonl").read_text().splitlines())
    samples, _ = load_audio(audio / "u1.wav", sample_rate=24_000)
    expected = small_model.encode(samples[None], num_quantizers=6).codes[0].T
    codes, fields, references = read_as_moss_tts(made)
    assert torch.equal(codes, expected)
    assert fields == {key: line[key] for key in ("text", "instruction", "language")}
    assert references == [None, None, line["ref_audio"]]
    codes, *fields = read_as_qwen3_tts(made)
    assert torch.equal(codes, expected)
    assert fields == [line[key] for key in ("audio", "text", "ref_audio", "language")]


@pytest.mark.parametrize("place", ["memory", "file"])
def test_shards_go_to_any_file_system(small_model, audio, tmp_path, place):
    """Also to those on which a file is there before it is whole: it has another name until then."""
    url = f"file://{tmp_path}/there" if place == "file" else "memory://shards"
    tokenize(small_model, [audio], url, CONFIG)
    tokenize(small_model, [audio], tmp_path / "here", CONFIG)
    storage = storage_at(url)
    files = sorted((tmp_path / "here").glob("shard-*"))
    assert list(storage.sizes("*shard*")) == [file.name for file in files]
    assert [storage.read(file.name) for file in files] == [file.read_bytes() for file in files]
    assert tokenize(small_model, [audio], url, CONFIG).kept == 5
