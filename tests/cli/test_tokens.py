"""`catok tokens`: shards are verified, converted, measured and published."""

import numpy as np
import pytest
import soundfile
from huggingface_hub import constants

from catok.cli import main
from catok.corpus import TokenDataset, TokenizeConfig, dataset_card, push_to_hub, tokenize
from tests.io.hub_stand_in import HubStandIn


@pytest.fixture(scope="module")
def made(small_model, tmp_path_factory):
    """A corpus of four recordings, its model and its tokens."""
    root = tmp_path_factory.mktemp("made")
    (root / "speech").mkdir()
    draw = np.random.default_rng(0)
    for number in range(4):
        audio = 0.1 * draw.standard_normal(5000 + 4000 * number)
        soundfile.write(root / "speech" / f"{number}.wav", audio, 24_000)
    small_model.save_pretrained(root / "model")
    tokenize(small_model, [root / "speech"], root / "tokens", TokenizeConfig(shard_size=3))
    return root


def test_verify_finds_what_differs(made, small_model, tmp_path, capsys):
    arguments = ["--model", str(made / "model"), "--device", "cpu"]
    command = ["tokens", "verify", str(made / "tokens"), str(made / "speech"), *arguments]
    assert main(command) == 0
    assert "4 of 4 recordings have the same codes" in capsys.readouterr().out
    other = tmp_path / "speech"
    other.mkdir()
    soundfile.write(other / "2.wav", np.zeros(13_000), 24_000)
    command[3] = str(other)
    assert main(command) == 1
    said = capsys.readouterr()
    assert "catok: 2: " in said.err
    assert "0 of 1 recordings" in said.out


def test_verify_decodes(made, small_model, tmp_path):
    out = tmp_path / "wavs"
    arguments = ["--model", str(made / "model"), "--decode", "2", "-o", str(out)]
    assert main(["tokens", "verify", str(made / "tokens"), *arguments]) == 0
    lengths = {str(row["id"]): row["num_samples"] for row in TokenDataset(made / "tokens")}
    files = sorted(out.iterdir())
    assert len(files) == 2
    for file in files:
        assert soundfile.info(file).frames == lengths[file.stem.partition("-")[2]]


def test_another_model_is_refused(made, capsys):
    assert main(["tokens", "verify", str(made / "tokens"), "--model", "tiny"]) == 1
    assert "was made by" in capsys.readouterr().err


def test_convert(made, tmp_path):
    out = str(tmp_path / "out")
    assert main(["tokens", "convert", str(made / "tokens"), "-o", out, "--format", "jsonl"]) == 0
    assert len(list(TokenDataset(out))) == 4


def test_stats_and_histogram(made, tmp_path, capsys):
    picture = tmp_path / "durations.png"
    assert main(["tokens", "stats", str(made / "tokens"), "--histogram", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "recordings\t4" in said
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_push(made, monkeypatch, small_model, capsys):
    hub = HubStandIn()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    address = push_to_hub(made / "tokens", "me/speech", private=True, token=hub.token)
    assert address.startswith(f"{hub.url}/")
    assert "me/speech" in address and "me/speech" in hub.private
    there = hub.repositories["me/speech"]
    files = {path.name for path in (made / "tokens").rglob("*") if path.is_file()}
    assert {name.rpartition("/")[2] for name in there} == files | {"README.md"}
    shard = "shard-000001.parquet"
    assert there[shard] == (made / "tokens" / shard).read_bytes()
    card = there["README.md"].decode()
    assert card == dataset_card(made / "tokens")
    assert small_model.weight_hash in card
    assert 'path: "shard-*.parquet"' in card
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert main(["tokens", "push", str(made / "tokens"), "me/other"]) == 1
    assert "could not upload to 'me/other'" in capsys.readouterr().err
    hub.shutdown()
    hub.server_close()
