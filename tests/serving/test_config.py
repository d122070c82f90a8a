"""Where settings come from, and which are refused."""

import pytest

from catok.serving import ServerConfig

FILE = """
port = 9000
api_key = "from the file"
cors_origins = ["https://a.example"]
queue_seconds = 3
[voice_names]
nova = "anna"
"""


def test_options_go_before_the_environment_and_that_before_the_file(tmp_path):
    path = tmp_path / "serve.toml"
    path.write_text(FILE)
    variables = {
        "CATOK_SERVE_PORT": "9001",
        "CATOK_SERVE_HOST": "0.0.0.0",
        "CATOK_SERVE_TTS": "",
        "CATOK_SERVE_FETCH_HOSTS": "a.example, b.example",
        "CATOK_SERVE_LOG_TEXTS": "true",
        "HOME": "/",
    }
    found = ServerConfig.load(path, variables, host="::1", asr=None)
    assert found == ServerConfig(
        host="::1",
        port=9001,
        tts="",
        api_key="from the file",
        cors_origins=("https://a.example",),
        fetch_hosts=("a.example", "b.example"),
        queue_seconds=3.0,
        voice_names={"nova": "anna"},
        log_texts=True,
    )
    assert ServerConfig.load(None, {}) == ServerConfig()


@pytest.mark.parametrize(
    "text, variables, match",
    [
        ("prot = 1", {}, "unknown keys .*prot"),
        ("port = 'x'", {}, "port must be int"),
        ("port = 70000", {}, "port must be from 0 to 65535"),
        ("port =", {}, "not valid TOML"),
        ("queue_seconds = -1", {}, "queue_seconds must be at least 0"),
        ("speech_limit = 0", {}, "speech_limit must be at least 1"),
        ('tokenizer = ""', {}, "tokenizer must name"),
        ('api_key = "é"', {}, "printable ASCII"),
        ("", {"CATOK_SERVE_PROT": "1"}, "CATOK_SERVE_PROT stands for no setting"),
        ("", {"CATOK_SERVE_PORT": "x"}, "CATOK_SERVE_PORT is not valid TOML"),
        ("", {"CATOK_SERVE_DEVICE": "tpu"}, "device must be one of"),
    ],
)
def test_mistakes_are_named(tmp_path, text, variables, match):
    path = tmp_path / "serve.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        ServerConfig.load(path, variables)
