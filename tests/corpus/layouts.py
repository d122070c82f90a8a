"""The five recordings of `audio` in every layout, and what must become of them."""

import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch

from catok.audio import load_audio
from catok.corpus import TokenDataset, TokenizeConfig, tokenize

CONFIG = TokenizeConfig(shard_size=3, rows=2, frames=4)


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
