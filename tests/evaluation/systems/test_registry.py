"""Names of systems: what they stand for, and what is said to those that stand for nothing."""

import sys

import pytest

from catok.evaluation.systems.registry import build_system, parse_system


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tiny", ("catok", "tiny", ())),
        ("tiny:all", ("catok", "tiny", ())),
        ("tiny:0.5,1, 2", ("catok", "tiny", ("0.5", "1", "2"))),
        ("runs/mine/model:8q", ("catok", "runs/mine/model", ("8q",))),
        ("owner/name", ("catok", "owner/name", ())),
        ("C:\\runs\\model", ("catok", "C:\\runs\\model", ())),
        ("a:b/c:1", ("catok", "a:b/c", ("1",))),
        ("runs/lr=3:1", ("catok", "runs/lr=3", ("1",))),
        ("catok=opus:1", ("catok", "opus", ("1",))),
        ("original", ("original", None, ())),
        ("opus:6,12", ("opus", None, ("6", "12"))),
        ("opus-soundfile", ("opus-soundfile", None, ())),
        ("codec2:3200,700C", ("codec2", None, ("3200", "700C"))),
        ("encodec=facebook/encodec_24khz:1.5", ("encodec", "facebook/encodec_24khz", ("1.5",))),
        ("mimi=./mimi:all", ("mimi", "./mimi", ())),
        ("python=mylab.codecs:MuLaw:8", ("python", "mylab.codecs:MuLaw", ("8",))),
        ("python=mylab.codecs.MuLaw:8", ("python", "mylab.codecs:MuLaw", ("8",))),
        ("python=mylab.codecs.MuLaw", ("python", "mylab.codecs:MuLaw", ())),
        ("python=json.decoder:JSONDecoder", ("python", "json.decoder:JSONDecoder", ())),
        (
            "python=json.decoder:JSONDecoder:a, b",
            ("python", "json.decoder:JSONDecoder", ("a", "b")),
        ),
        ("python=mylab:MuLaw", ("python", "mylab:MuLaw", ())),
    ],
)
def test_names(text, expected):
    assert parse_system(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot read the system ''"),
        ("tiny:", "cannot read the system 'tiny:'"),
        ("tiny:1,,2", "cannot read"),
        ("dac=:1", "cannot read"),
        ("mimi:8q", "which mimi"),
        ("original:1", "has no settings"),
        ("nothing-of-that-name", "no folder 'nothing-of-that-name'"),
        ("python=json", "write python=module:Class"),
        ("python=json:not a name", "write python=module:Class"),
        ("python=json.missing", "cannot import json:missing .*write python=module:Class"),
        ("python=no_such_module.Codec", "cannot import no_such_module:Codec"),
        ("python=no_such_module:Codec", "cannot import no_such_module:Codec"),
    ],
)
def test_errors(text, words):
    with pytest.raises(ValueError, match=words):
        build_system(text)


def test_settings_arrive():
    assert build_system("tiny:0.5,1q").settings == ("0.5 kbps", "0.125 kbps")
    assert build_system("tiny").settings[-1] == "4 kbps"
    assert build_system("opus-soundfile:9").settings == ("9 kbps",)
    assert build_system("original").name == "original"


def test_a_codec_of_somebody_else(tmp_path, monkeypatch):
    (tmp_path / "their_lab.py").write_text(
        "class Codec:\n"
        "    name = 'theirs'\n"
        "    def __init__(self, *settings):\n"
        "        self.settings = settings\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    system = build_system("python=their_lab.Codec:fast,slow")
    assert system.name == "theirs" and system.settings == ("fast", "slow")
    del sys.modules["their_lab"]
