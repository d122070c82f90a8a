"""Nothing is lost: not by SIGKILL at any moment, not by files of every bad kind."""

import json
import os
import random
import time

import numpy as np
import pytest
import soundfile
import torch

from catok import CausalAudioTokenizer
from catok.corpus import TokenDataset, TokenizeConfig, tokenize

pytestmark = pytest.mark.slow

CONFIG = TokenizeConfig(shard_size=2, rows=3, frames=2)


def run(model, speech, out):
    """A run in a process of its own."""
    torch.set_num_threads(1)
    tokenize(CausalAudioTokenizer.from_pretrained(model), [speech], out, CONFIG)


def test_a_run_killed_at_ten_moments_goes_on_to_the_same_bytes(small_model, processes, tmp_path):
    speech, out, whole = tmp_path / "speech", tmp_path / "out", tmp_path / "whole"
    speech.mkdir()
    draw = np.random.default_rng(0)
    for number in range(60):
        audio = 0.1 * draw.standard_normal(8000 * (1 + number % 3))
        soundfile.write(speech / f"{number:02d}.wav", audio, 24_000)
    (speech / "bad.wav").write_bytes(b"none")
    model = tmp_path / "model"
    small_model.save_pretrained(model)

    def start(target):
        process = processes.Process(target=run, args=(model, speech, target))
        process.start()
        return process

    start(whole).join()
    moments, killed = random.Random(1), 0
    for done in sorted(moments.sample(range(30), 10)):
        process = start(out)
        while process.is_alive() and len(list(out.glob("shard-*"))) < done:
            time.sleep(0.001)
        time.sleep(moments.random() / 50)
        killed += process.is_alive()
        process.kill()
        process.join()
    assert killed >= 8
    last = start(out)
    last.join()
    assert last.exitcode == 0
    left = {file.name for file in whole.rglob("*")} ^ {file.name for file in out.rglob("*")}
    assert not left
    for file in whole.rglob("*"):
        if file.is_file():
            assert (out / file.relative_to(whole)).read_bytes() == file.read_bytes()


def test_bad_files_of_every_kind_are_named_and_the_others_done(small_model, tmp_path):
    speech = tmp_path / "speech"
    speech.mkdir()
    draw = np.random.default_rng(0)

    def sound(seconds=0.4):
        return 0.1 * draw.standard_normal(int(24_000 * seconds))

    good = {f"good{number:02d}" for number in range(20)}
    for name in good:
        soundfile.write(speech / f"{name}.flac", sound(), 24_000)
    (speech / "empty.wav").write_bytes(b"")
    soundfile.write(speech / "whole.flac", sound(2), 24_000)
    content = (speech / "whole.flac").read_bytes()
    (speech / "whole.flac").unlink()
    (speech / "truncated.flac").write_bytes(content[: len(content) // 2])
    (speech / "header.wav").write_bytes(b"RIFF" + os.urandom(400))
    (speech / "text.mp3").write_text("this is not audio\n" * 50)
    soundfile.write(speech / "nothing.wav", np.zeros(0), 24_000)
    for name, value in (("nan", np.nan), ("infinite", np.inf)):
        samples = sound()
        samples[5000] = value
        soundfile.write(speech / f"{name}.wav", samples, 24_000, subtype="FLOAT")
    soundfile.write(speech / "unreadable.wav", sound(), 24_000)
    (speech / "unreadable.wav").chmod(0)
    (speech / "dangling.wav").symlink_to(speech / "gone")
    bad = {"empty", "truncated", "header", "text", "nothing", "nan", "infinite"}
    bad |= {"unreadable"} if os.getuid() else set()
    config = TokenizeConfig(shard_size=5, rows=3, frames=2)
    for workers in (0, 2):
        out = tmp_path / f"out{workers}"
        tokenize(small_model, [speech], out, TokenizeConfig(**vars(config) | {"workers": workers}))
        found = {row["id"] for row in TokenDataset(out)}
        lines = map(json.loads, (out / "failed.jsonl").read_text().splitlines())
        failed = {line["id"]: line["reason"] for line in lines}
        assert found - {"unreadable"} == good
        assert failed.keys() - {"dangling"} == bad
        assert all(failed.values())
    assert "NaN" in failed["nan"]
