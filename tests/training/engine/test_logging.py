import json

import pytest
import torch

from catok.training.engine.logging import JsonLinesLog, RunLog, TensorBoard


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_what_comes_after_the_step_is_dropped(tmp_path):
    log = JsonLinesLog(tmp_path, 0)
    for step in (1, 2, 3):
        log.write({"step": step, "mel": 0.5})
    resumed = JsonLinesLog(tmp_path, 2)
    resumed.write({"step": 3, "mel": 0.25})
    assert [(line["step"], line["mel"]) for line in lines(tmp_path)] == [
        (1, 0.5), (2, 0.5), (3, 0.25),
    ]  # fmt: skip
    JsonLinesLog(tmp_path, 0)
    assert lines(tmp_path) == []


@pytest.mark.parametrize(
    "rest", [b'{"step": 2, "me', b"\x00\x00\x00", b"\xff\xfe", b"[3]\n", b'{"mel": 1}\n']
)
def test_what_is_not_a_whole_line_is_dropped(tmp_path, rest):
    (tmp_path / "log.jsonl").write_bytes(b'{"step": 1}\n' + rest)
    JsonLinesLog(tmp_path, 2).write({"step": 3})
    assert lines(tmp_path) == [{"step": 1}, {"step": 3}]


def test_a_last_line_without_its_end_keeps_to_itself(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}')
    JsonLinesLog(tmp_path, 2).write({"step": 3})
    assert lines(tmp_path) == [{"step": 1}, {"step": 3}]


def test_nan_is_null(tmp_path):
    JsonLinesLog(tmp_path, 0).write({"step": 1, "a": float("nan"), "b": float("inf"), "c": 2.0})
    assert lines(tmp_path) == [{"step": 1, "a": None, "b": None, "c": 2.0}]


def test_only_the_first_process_writes(tmp_path):
    said = []
    log = RunLog(tmp_path, 0, True, said.append, active=False)
    log.write({"step": 1})
    log.show(1, {}, 24_000, torch.ones(2, 4))
    log.close()
    assert not said and not list(tmp_path.iterdir())


def test_tensorboard_has_scalars_audio_pictures_and_codes(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = RunLog(tmp_path, 0, True, lambda event: None, active=True)
    for step in (1, 2, 3):
        log.write({"step": step, "mel": 0.5 * step, "perplexity": [4.0, 2.0], "skipped": "x.wav"})
    examples = {"original": 0.1 * torch.randn(2, 24_000), "codebooks-8": torch.zeros(2, 24_000)}
    log.show(3, examples, 24_000, torch.ones(2, 4))
    log.close()
    resumed = TensorBoard(tmp_path, 2)
    resumed.write({"step": 3, "mel": 9.0})
    resumed.close()

    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    tags = found.Tags()
    assert set(tags["scalars"]) == {"mel", "perplexity/1", "perplexity/2"}
    assert [(e.step, e.value) for e in found.Scalars("mel")] == [(1, 0.5), (2, 1.0), (3, 9.0)]
    assert set(tags["audio"]) == set(examples)
    assert set(tags["images"]) == {f"{name}/mel" for name in examples}
    assert set(tags["histograms"]) == {"codebook/1", "codebook/2"}


def test_tensorboard_that_is_not_there(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(ValueError, match="pip install"):
        TensorBoard(tmp_path, 0)
