"""Names of models, embedded, local and on a hub; and uploading. The hub is a stand-in."""

import socket

import pytest
import torch
from huggingface_hub import constants
from tests.conftest import build, small_settings
from tests.io.hub_stand_in import COMMIT, HubStandIn

from catok import CausalAudioTokenizer
from catok.io.hub import EMBEDDED, find_folder, model_name
from catok.lm.model import TokenLM
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import load_speech_model


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = HubStandIn()
    use_hub(monkeypatch, server.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()
    server.server_close()


def use_hub(monkeypatch, url):
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def files_of(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_model_that_is_uploaded_can_be_loaded_by_its_id(hub, tmp_path):
    model = build(small_settings())
    address = model.push_to_hub("someone/codec", token=hub.token)
    assert address.startswith(hub.url)
    assert {"config.json", "model.safetensors"} <= set(hub.repositories["someone/codec"])
    loaded = CausalAudioTokenizer.from_pretrained(
        "someone/codec", dtype="bfloat16", cache_dir=tmp_path / "elsewhere"
    )
    assert loaded.weight_hash == model.weight_hash and loaded.model_id == "codec"
    assert loaded.encoder.dtype == torch.bfloat16
    assert list((tmp_path / "elsewhere").glob("models--someone--codec/snapshots/*"))


def test_private_models_need_the_token(hub):
    model = build(small_settings())
    model.push_to_hub("someone/secret", private=True, token=hub.token)
    with pytest.raises(ValueError, match="'someone/secret' from the hub: access .*give a token"):
        CausalAudioTokenizer.from_pretrained("someone/secret")
    loaded = CausalAudioTokenizer.from_pretrained("someone/secret", token=hub.token)
    assert loaded.weight_hash == model.weight_hash
    with pytest.raises(ValueError, match="could not upload to 'someone/other' on the hub: .*401"):
        model.push_to_hub("someone/other", token="hf_wrong")


def test_revisions_and_the_cache(hub, monkeypatch):
    hub.repositories["someone/codec"] = files_of(EMBEDDED / "tiny")
    with pytest.raises(ValueError, match="no such revision"):
        find_folder("someone/codec", revision="v9")
    with pytest.raises(ValueError, match="no such repository"):
        find_folder("someone/nothing")
    with pytest.raises(ValueError, match="not in the cache"):
        find_folder("someone/codec", local_files_only=True)
    folder = find_folder("someone/codec", revision=COMMIT)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
    with_all = find_folder("someone/codec", companions=True)
    assert (with_all / "semantic" / "semantic.json").exists()

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        use_hub(monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}")  # nobody listens
    assert find_folder("someone/codec", local_files_only=True) == with_all
    with pytest.raises(ValueError, match="the hub is not reached.*give a local folder"):
        find_folder("someone/unseen")
    with pytest.raises(ConnectionError, match="could not upload to 'a/b' on the hub.*the network"):
        build(small_settings()).push_to_hub("a/b", token=hub.token)


def test_speech_models_and_language_models_take_the_same_options(hub, tmp_path):
    hub.repositories["someone/voice"] = files_of(EMBEDDED / "tiny-tts")
    options = {"revision": COMMIT, "cache_dir": tmp_path / "cache2"}
    assert (
        TokenLM.from_pretrained("someone/voice", dtype="bfloat16", **options).device.type == "cpu"
    )
    speech = load_speech_model("someone/voice", task="tts", dtype="bfloat16", **options)
    assert speech.name == "voice" and speech.tokenizer.weight_hash == speech.config.weight_hash
    assert next(speech.model.parameters()).dtype == torch.bfloat16
    with pytest.raises(ValueError, match="no such revision"):
        load_speech_model("someone/voice", task="tts", revision="v9")


@pytest.mark.parametrize("name", ["tiny", "tiny-tts"])
def test_an_embedded_name_is_that_model_and_dot_slash_the_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert find_folder(name) == EMBEDDED / name
    assert find_folder(f"./{name}").resolve() == tmp_path / name
    assert find_folder(f"{name}/").resolve() == tmp_path / name
    assert find_folder(tmp_path.joinpath(name).relative_to(tmp_path)).resolve() == tmp_path / name


def test_a_folder_beside_a_speech_model_does_not_hide_the_embedded_tokenizer(tmp_path):
    for name, content in files_of(EMBEDDED / "tiny-tts").items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "tiny").mkdir()
    assert SpeechConfig.load(tmp_path).tokenizer == "tiny"
    assert load_speech_model(tmp_path, task="tts").tokenizer.model_id == "tiny"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tiny", "tiny"), ("owner/codec", "codec"), ("a/b/", "b"), ("a/b/..", "a")],
)
def test_what_a_model_is_called(name, expected):
    assert model_name(name) == expected


@pytest.mark.parametrize("dtype", ["float64", "int8", "", torch.float64, torch.int8, None])
def test_other_dtypes_are_refused(dtype):
    for load in (CausalAudioTokenizer, TokenLM):
        with pytest.raises(ValueError, match="dtype must be float32, bfloat16 or float16"):
            load.from_pretrained("tiny", dtype=dtype)
