"""VERSA's lists are what VERSA reads, and its results come back to the right rows."""

import json
from pathlib import Path

import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok import load_audio, save_audio
from catok.evaluation.protocols.items import TTSItem
from catok.evaluation.protocols.tts import speech_from_folder
from catok.evaluation.run.evaluate import evaluate
from catok.evaluation.run.recordings import read_recordings
from catok.evaluation.systems.base import Output
from catok.evaluation.versa.export import (
    VersaFolder,
    export_run,
    export_systems,
    export_tts,
    safe_file_name,
)
from catok.evaluation.versa.results import join_versa_rows, read_versa, versa_means, versa_rows
from tests.evaluation.run.fakes import evaluation
from tests.evaluation.run.fakes import noise as write_noise

RATE = 8000


def noise(samples: int = 800, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, samples, generator=generator) - 0.5


def as_versa_reads(path: Path) -> dict[str, str]:
    """A list as VERSA's scorer takes it in: key and value at the first space, none empty."""
    table = {}
    for line in path.read_text().splitlines():
        key, value = line.strip().split(maxsplit=1)
        assert not value.endswith("|")
        table[key] = value
    return table


class Halves:
    """Half as loud, and silence; refuses recordings of 900 samples."""

    name = "owner/halves"
    settings = ("1 kbps", "2 kbps")

    def run(self, audio, sample_rate):
        if audio.shape[1] == 900:
            raise ValueError("900 samples are not mine")
        for setting, gain in zip(self.settings, (0.5, 0.25), strict=True):
            yield Output(setting, gain * audio, 8, 0.0, 0.0)


def test_systems_on_recordings(tmp_path):
    (tmp_path / "data").mkdir()
    save_audio(tmp_path / "data" / "a b.wav", noise(), RATE)
    save_audio(tmp_path / "data" / "c.wav", noise(900), RATE)
    (tmp_path / "data" / "d.wav").write_bytes(b"no audio")
    done = export_systems(read_recordings(tmp_path / "data"), [Halves()], tmp_path / "out")
    assert [folder.name for folder in done.folders] == [
        "owner_halves@1_kbps",
        "owner_halves@2_kbps",
    ]
    assert [failure[:2] for failure in done.failures] == [("c.wav", "owner/halves"), ("d.wav", "")]
    for folder, gain in zip(done.folders, (0.5, 0.25), strict=True):
        pred, reference = as_versa_reads(folder / "pred.scp"), as_versa_reads(folder / "gt.scp")
        assert pred.keys() == reference.keys() and len(pred) == 1
        ((key, path),) = pred.items()
        assert key.startswith("a_b-") and Path(path).is_absolute()
        assert soundfile.info(path).subtype == "PCM_16"
        loud, _ = load_audio(reference[key])
        soft, rate = load_audio(path)
        assert rate == RATE
        assert torch.allclose(soft, gain * loud, atol=1e-4)
        assert not (folder / "text").exists()


def test_nothing_to_score(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "d.wav").write_bytes(b"no audio")
    with pytest.raises(ValueError, match=r"nothing to score: .*d\.wav"):
        export_systems(read_recordings(tmp_path / "data"), [Halves()], tmp_path / "out")


def test_a_finished_run(tmp_path):
    for name in ("x", "y"):
        save_audio(tmp_path / f"{name}.wav", noise(), RATE)
    lines = [{"audio": f"{n}.wav", "text": f"the  text\tof {n}", "duration": 0.1} for n in "xy"]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = {
        "settings": {"data": str(tmp_path / "m.jsonl"), "selection": {"limit": 1, "seed": 0}},
        "systems": [{"text": "original", "kind": "original", "name": "original", "settings": []}],
        "columns": [],
    }
    (tmp_path / "run.json").write_text(json.dumps(run))
    (folder,) = export_run(tmp_path, tmp_path / "out").folders
    texts = as_versa_reads(folder / "text")
    assert len(texts) == 1
    ((key, text),) = texts.items()
    assert text == f"the text of {key[0]}"
    identity = json.loads((folder / "utterances.jsonl").read_text())
    assert identity["versa"] == key and identity["key"] == f"{key[0]}.wav"
    with pytest.raises(ValueError, match="is no finished evaluation"):
        export_run(tmp_path / "out", tmp_path / "again")


def test_a_run_is_not_exported_with_other_recordings(tmp_path):
    (tmp_path / "data").mkdir()
    write_noise(tmp_path / "data", "a.wav")
    evaluate(evaluation(tmp_path / "data", "gain:0.5"), tmp_path / "data" / "out")
    record = tmp_path / "data" / "out" / "run.json"
    content = json.loads(record.read_text())
    content["systems"] = content["systems"][:1]  # the original, which is no fake
    record.write_text(json.dumps(content))
    (folder,) = export_run(tmp_path / "data" / "out", tmp_path / "versa").folders
    assert len(as_versa_reads(folder / "pred.scp")) == 1
    write_noise(tmp_path / "data", "a.wav", 0.7)
    with pytest.raises(ValueError, match=r"a\.wav has changed since it was scored"):
        export_run(tmp_path / "data" / "out", tmp_path / "versa")


def test_parts_of_files_are_exported_as_parts(tmp_path):
    write_noise(tmp_path, "a.wav", 2.0)
    line = {"audio": "a.wav", "offset": 0.5, "duration": 1}
    (tmp_path / "m.jsonl").write_text(json.dumps(line))
    done = export_systems(read_recordings(tmp_path / "m.jsonl"), [Halves()], tmp_path / "out")
    for folder in done.folders:
        for path in as_versa_reads(folder / "gt.scp").values():
            assert soundfile.info(path).duration == 1


def speech_items(tmp_path) -> list[TTSItem]:
    for name, seed in (("prompt", 1), ("target", 2), ("out/u 1", 3), ("out/u2", 4)):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        save_audio(path, noise(seed=seed), RATE)
    prompt, target = tmp_path / "prompt.wav", tmp_path / "target.wav"
    return [
        TTSItem("u 1", "One.", "en", prompt, "prompt", target),
        TTSItem("u2", "Two.", "en", prompt, "prompt", target),
        TTSItem("u3", "Three.", "en", prompt, "prompt"),
    ]


def test_speech_synthesis_beside_prompt_and_target(tmp_path):
    items = speech_items(tmp_path)
    source = speech_from_folder(tmp_path / "out")
    done = export_tts(items, source, tmp_path / "versa")
    assert done.failures == [("u3", "", "there is no output")]
    assert as_versa_reads(done.folders[0] / "text") == {"u_1": "One.", "u2": "Two."}
    for against in ("prompt", "target"):
        (folder,) = export_tts(items[:2], source, tmp_path / against, against).folders
        heard, _ = load_audio(as_versa_reads(folder / "gt.scp")["u2"])
        assert torch.equal(heard, load_audio(tmp_path / f"{against}.wav")[0])
    with pytest.raises(ValueError, match="u3 has no recording of its text"):
        export_tts(items, source, tmp_path / "versa", "target")
    with pytest.raises(ValueError, match="against must be"):
        export_tts(items, source, tmp_path / "versa", "other")


def test_incomplete_lists_are_not_written(tmp_path):
    folder = VersaFolder(tmp_path)
    (tmp_path / "text").write_text("of an earlier export\n")
    folder.add("a", {"id": "a"}, noise(), RATE, text="some")
    folder.add("b", {"id": "b"}, noise(), RATE, text=" ")
    with pytest.raises(ValueError, match="two utterances would be called b"):
        folder.add("b ", {"id": "b "}, noise(), RATE)
    folder.finish()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pred.scp", "utterances.jsonl", "wav"]
    with pytest.raises(ValueError, match="nothing to score"):
        VersaFolder(tmp_path).finish()


@given(st.text(min_size=1))
def test_file_names_hold_no_spaces(name):
    made = safe_file_name(name)
    assert made and not any(c.isspace() or c in "/\\" for c in made) and made not in (".", "..")


def test_results_as_json_and_as_older_python(tmp_path):
    lines = [
        '{"key": "a", "sdr": -1.5, "sir": Infinity, "hyp_text": "x", "vad": null, "_versa": {}}',
        "{'key': 'b', 'sdr': 2.5, 'sir': inf, 'pesq': nan, 'ref_text': \"it's\"}",
        '{"key": "c", "real": true, "sdr": 3, "huge": 1' + "0" * 400 + "}",
    ]
    path = tmp_path / "result.jsonl"
    path.write_text("\n".join(lines))
    assert read_versa(path) == {"a": {"sdr": -1.5}, "b": {"sdr": 2.5}, "c": {"sdr": 3.0}}


@pytest.mark.parametrize(
    "line",
    [
        *("not a result", "[1, 2]", '{"sdr": 1}', '{"key": 3}'),
        *("[" * 100_000, "(" * 100_000, "{[]: 1}", "-" * 50_000 + "1"),
    ],
    ids=range(8),
)
def test_malformed_results_are_named(tmp_path, line):
    (tmp_path / "r").write_text('{"key": "a"}\n' + line)
    with pytest.raises(ValueError, match=r"r, line 2: needs a VERSA result"):
        read_versa(tmp_path / "r")


def test_results_come_back_to_their_rows(tmp_path):
    done = export_tts(
        speech_items(tmp_path)[:2], speech_from_folder(tmp_path / "out"), tmp_path / "v"
    )
    folder = done.folders[0]
    (folder / "result.jsonl").write_text('{"key": "u_1", "utmos": 3.5}\n')
    rows = versa_rows(folder)
    assert rows == [{"id": "u 1", "versa_utmos": 3.5}, {"id": "u2"}]
    ours = [{"id": "u 1", "wer": 0.0}, {"id": "u2", "wer": 1.0}, {"id": "u3", "wer": None}]
    assert join_versa_rows(ours, rows) == [ours[0] | {"versa_utmos": 3.5}, ours[1], ours[2]]
    with pytest.raises(ValueError, match="of which there is no row"):
        join_versa_rows(ours[1:], rows)
    (folder / "result.jsonl").write_text('{"key": "z", "utmos": 3.5}\n')
    with pytest.raises(ValueError, match=r"has z, which .* does not"):
        versa_rows(folder)


def test_rows_of_a_run_are_joined_by_system_and_setting():
    ours = [{"key": "a", "system": s, "setting": "1"} for s in ("x", "y")]
    versa = [{"key": "a", "system": "y", "setting": "1", "versa_mcd": 5.0}]
    assert join_versa_rows(ours, versa) == [ours[0], ours[1] | {"versa_mcd": 5.0}]


def test_error_counts_are_pooled():
    kinds = ("delete", "insert", "replace", "equal")

    def row(*counts: int) -> dict[str, float]:
        names = (f"versa_whisper_wer_{kind}" for kind in kinds)
        return dict(zip(names, map(float, counts), strict=True))

    means = versa_means(
        [row(1, 0, 0, 1) | {"versa_mcd": 4.0}, row(0, 1, 1, 6) | {"versa_mcd": 6.0}]
    )
    assert means == {"versa_mcd": 5.0, "versa_whisper_wer": pytest.approx(100 * 3 / 9)}
