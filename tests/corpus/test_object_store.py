"""Shards on an S3 server, a process of its own: what holds in a folder holds there too."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import torch

from catok import CausalAudioTokenizer
from catok.corpus import (
    TokenDataset,
    TokenizeConfig,
    convert,
    remote_lock,
    token_stats,
    tokenize,
)
from catok.corpus.ledger import TokenFolder
from catok.corpus.storage import storage_at

pytestmark = pytest.mark.slow

CONFIG = TokenizeConfig(shard_size=3, rows=2, frames=4)


def run(environment, model, speech, out):
    """A run in a process of its own."""
    os.environ |= environment
    torch.set_num_threads(1)
    tokenize(CausalAudioTokenizer.from_pretrained(model), [speech], out, CONFIG)


@pytest.fixture(scope="module")
def server():
    """An S3 server with the buckets "speech" and "tokens"; the environment says where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "name",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        import fsspec

        system = fsspec.filesystem("s3")
        for bucket in ("speech", "tokens"):
            system.mkdir(bucket)
        yield system
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Ten recordings with texts, and one that is none."""
    folder = tmp_path_factory.mktemp("speech")
    draw = np.random.default_rng(0)
    for number in range(10):
        audio = 0.1 * draw.standard_normal(3000 + 6000 * (number % 4))
        soundfile.write(folder / f"{number}.wav", audio, 24_000)
        (folder / f"{number}.txt").write_text(f"text {number}")
    (folder / "bad.wav").write_bytes(b"none")
    return folder


@pytest.fixture(scope="module")
def whole(small_model, speech, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "tokens"
    tokenize(small_model, [speech], out, CONFIG)
    return out


def remote_files(url):
    storage = storage_at(url)
    names = [*storage.sizes("*"), *storage.sizes("ledger/*")]
    return {name: storage.read(name) for name in names}


def local_files(folder):
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.parametrize("form", ["parquet", "shar"])
def test_shards_on_a_server_are_those_of_a_folder(small_model, server, speech, tmp_path, form):
    config = TokenizeConfig(shard_size=3, rows=2, frames=4, format=form)
    url, here = f"s3://tokens/{form}", tmp_path / "here"
    summary = tokenize(small_model, [speech], url, config)
    assert (summary.recordings, summary.failures) == (11, 1)
    tokenize(small_model, [speech], here, config)
    assert remote_files(url) == local_files(here)
    again = tokenize(small_model, [speech], url, config)
    assert (again.recordings, again.kept, again.failed_before) == (0, 11, 1)
    with pytest.raises(ValueError, match="num_quantizers 8 instead of 4"):
        tokenize(small_model, [speech], url, TokenizeConfig(num_quantizers=4))


def test_a_killed_run_goes_on(small_model, server, speech, whole, processes, tmp_path):
    small_model.save_pretrained(tmp_path / "small")
    url = "s3://tokens/killed"
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    process = processes.Process(target=run, args=(aws, tmp_path / "small", speech, url))
    process.start()
    while process.is_alive() and not storage_at(url).exists("shard-000001.parquet"):
        time.sleep(0.01)
    process.kill()
    process.join()
    if storage_at(url).exists(".lock"):  # its process is gone, so that nobody waits for it
        assert json.loads(storage_at(url).read(".lock"))["process"] == process.pid
    summary = tokenize(small_model, [speech], url, CONFIG)
    assert summary.kept + summary.recordings == 11
    assert remote_files(url) == local_files(whole)


def test_reading_converting_and_figures(small_model, server, speech, whole, tmp_path):
    url = "s3://tokens/converted"
    assert convert(whole, url, "webdataset") == 4
    convert(url, tmp_path / "back", "parquet")
    assert local_files(tmp_path / "back") == local_files(whole)
    for row, original in zip(TokenDataset(url, 3), TokenDataset(whole), strict=True):
        assert torch.equal(row["codes"], original["codes"][:3])
        assert row["text"] == original["text"]
    stats = token_stats(url)
    assert (stats.rows, stats.failures) == (10, 1)
    assert stats.bytes == sum(storage_at(url).sizes("shard-*").values())
    with pytest.raises(ValueError, match="is not on this machine"):
        TokenFolder.open(url).shard(0)


def test_recordings_on_a_server_and_those_that_are_gone(small_model, server, speech, whole):
    for file in speech.iterdir():
        server.put_file(str(file), f"speech/set/{file.name}")
    url = "s3://tokens/of-server"
    assert tokenize(small_model, ["s3://speech/set"], url, CONFIG).failures == 1
    rows = list(TokenDataset(url))
    for row, original in zip(rows, TokenDataset(whole), strict=True):
        assert row["id"] == original["id"]
        assert row["text"] == original["text"]
        assert torch.equal(row["codes"], original["codes"])
    for number in range(4, 10):
        server.rm_file(f"speech/set/{number}.wav")
    tokenize(small_model, ["s3://speech/set"], url, CONFIG)
    assert [row["id"] for row in TokenDataset(url)] == ["0", "1", "2", "3"]
    assert list(storage_at(url).sizes("shard-*")) == [
        "shard-000000.parquet",
        "shard-000001.parquet",
    ]


def test_two_runs_on_one_output_are_refused(small_model, server, speech, monkeypatch):
    monkeypatch.setattr(remote_lock, "RENEWAL", 0.05)
    url = "s3://tokens/locked"
    with storage_at(url).lock(""), pytest.raises(ValueError, match=f"process {os.getpid()} on"):
        tokenize(small_model, [speech], url, CONFIG)
    assert not storage_at(url).exists(".lock")
    storage_at(url).write(".lock", json.dumps({"process": 1, "host": "elsewhere"}).encode())
    monkeypatch.setattr(remote_lock, "PATIENCE", 0.2)  # and its holder is gone
    assert tokenize(small_model, [speech], url, CONFIG).recordings == 11


def test_a_server_that_is_not_there(small_model, speech, monkeypatch):
    with pytest.raises(OSError, match="http://127.0.0.1:1/out cannot be reached"):
        tokenize(small_model, [speech], "http://127.0.0.1:1/out", CONFIG)
