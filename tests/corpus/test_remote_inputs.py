"""Corpora and shards behind a URL are those of a folder here."""

import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from catok.corpus import TokenizeConfig, tokenize
from catok.corpus.inputs import read_inputs
from catok.corpus.storage import storage_at

from .layouts import CONFIG, check, write_cuts, write_parquet, write_tar


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
