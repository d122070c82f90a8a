"""Every layout of recordings with text, chosen by what is there."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.protocols.items import Transcribed
from catok.evaluation.protocols.manifest import read_hypotheses, read_manifest
from catok.evaluation.protocols.transcribed import LAYOUTS, read_transcribed


def test_librispeech(put, record, tmp_path):
    put("test/61/70968/61-70968.trans.txt", "61-70968-0001 SECOND ONE", "61-70968-0000 HE BEGAN")
    first, second = (record(f"test/61/70968/61-70968-000{i}.flac") for i in range(2))
    assert read_transcribed(tmp_path / "test") == [
        Transcribed("61-70968-0000", first, "HE BEGAN", "en"),
        Transcribed("61-70968-0001", second, "SECOND ONE", "en"),
    ]


def test_librispeech_lines_are_checked(put, record, tmp_path):
    put("test/1-1.trans.txt", "1-1-0000 HE BEGAN", "1-1-0001")
    record("test/1-1-0000.wav")
    with pytest.raises(ValueError, match=r"1-1\.trans\.txt, line 2: .*0001 has no 1-1-0001\.flac"):
        read_transcribed(tmp_path / "test")
    record("test/1-1-0001.flac")
    with pytest.raises(ValueError, match=r"line 2: .* has no text"):
        read_transcribed(tmp_path / "test")


def test_aishell_1_from_the_folder_of_a_split(put, record, tmp_path):
    put("data/transcript/aishell_transcript_v0.8.txt", "S1W1 甚至 出现", "S2W1 别 处")
    audio = record("data/wav/test/S1/S1W1.wav")
    record("data/wav/test/S1/S1W2.wav")  # the corpus has recordings without transcripts
    found = read_transcribed(tmp_path / "data" / "wav" / "test")
    assert found == [Transcribed("S1W1", audio.absolute(), "甚至 出现", "zh")]
    assert read_transcribed(tmp_path / "data") == found


def test_aishell_2(put, tmp_path):
    put("iOS/wav.scp", "IT1\twav/T1/IT1.wav", "IT2\twav/T1/IT2.wav")
    put("iOS/trans.txt", "IT2\t打开 音乐", "IT1\t你好")
    assert read_transcribed(tmp_path / "iOS") == [
        Transcribed("IT1", tmp_path / "iOS/wav/T1/IT1.wav", "你好", "zh"),
        Transcribed("IT2", tmp_path / "iOS/wav/T1/IT2.wav", "打开 音乐", "zh"),
    ]


def test_kaldi(put, tmp_path):
    put("k/wav.scp", "a wavs/a b.wav", "b /x/b.wav")
    put("k/text", "a one two", "b tři")
    put("k/utt2lang", "b cs")
    assert read_transcribed(tmp_path / "k", "en") == [
        Transcribed("a", tmp_path / "k/wavs/a b.wav", "one two", "en"),
        Transcribed("b", Path("/x/b.wav"), "tři", "cs"),
    ]


@pytest.mark.parametrize(
    ("scp", "text", "complaint"),
    [
        (["a a.wav", "b sox b |"], ["a x", "b y"], r"wav\.scp, line 2: needs the path"),
        (["a a.wav", "b b.wav"], ["a x"], r"wav\.scp, line 2: b has no text"),
        (["a a.wav"], ["a x", "", "b y"], r"text, line 3: wav\.scp has no b"),
        (["a a.wav", "a b.wav"], ["a x"], r"wav\.scp, line 2: a is already in line 1"),
    ],
)
def test_kaldi_lines_are_checked(put, tmp_path, scp, text, complaint):
    put("k/wav.scp", *scp)
    put("k/text", *text)
    with pytest.raises(ValueError, match=complaint):
        read_transcribed(tmp_path / "k")


def test_kaldi_segments_are_refused(put, tmp_path):
    for name in ("wav.scp", "text", "segments"):
        put(f"k/{name}", "a b")
    with pytest.raises(ValueError, match="segments: write each to a file"):
        read_transcribed(tmp_path / "k")


def test_manifest(put, tmp_path):
    path = put(
        "m.jsonl",
        '{"audio": "x/a.wav", "text": " Hello. ", "duration": 3.2}',
        '{"audio": "b.wav", "text": "Ahoj", "language": "cs", "id": "second"}',
    )
    assert read_transcribed(path, "en") == [
        Transcribed("x/a", tmp_path / "x/a.wav", "Hello.", "en"),
        Transcribed("second", tmp_path / "b.wav", "Ahoj", "cs"),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "an object of keys"),
        ('{"audio": "a.wav"}', 'needs "text"'),
        ('{"audio": "a.wav", "text": " "}', 'needs "text"'),
        ('{"audio": 3, "text": "x"}', 'needs "audio"'),
        ('{"audio": "a.wav", "text": "x", "language": 1}', 'needs "language"'),
    ],
)
def test_manifest_lines_are_checked(put, line, complaint):
    path = put("m.jsonl", '{"audio": "z.wav", "text": "x"}', line)
    with pytest.raises(ValueError, match=rf"m\.jsonl, line 2.*{complaint}"):
        read_manifest(path)


def test_an_unknown_layout_is_told_the_known_ones(record, tmp_path):
    record("plain/a.wav")
    for path in (tmp_path / "plain", tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="none of the layouts") as caught:
            read_transcribed(path)
        assert all(layout in str(caught.value) for layout in LAYOUTS)


def test_hypotheses_of_both_kinds(put):
    lines = ['{"audio": "x/a.wav", "text": "hello"}', '{"id": "b", "text": ""}']
    assert read_hypotheses(put("h.jsonl", *lines)) == {"x/a": "hello", "b": ""}
    assert read_hypotheses(put("text", "x/a hello  there", "b")) == {"x/a": "hello  there", "b": ""}


def test_hypotheses_are_checked(put):
    with pytest.raises(ValueError, match=r"h\.jsonl, line 2: a comes twice"):
        read_hypotheses(put("h.jsonl", *['{"id": "a", "text": "x"}'] * 2))
    with pytest.raises(ValueError, match=r"line 1: needs \"text\""):
        read_hypotheses(put("h.jsonl", '{"id": "a"}'))
    with pytest.raises(ValueError, match="no file of hypotheses"):
        read_hypotheses("nowhere")


@given(st.dictionaries(st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True), st.text(), max_size=5))
def test_hypotheses_survive_the_file(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("h") / "h.jsonl"
    path.write_text("".join(json.dumps({"id": k, "text": v}) + "\n" for k, v in texts.items()))
    assert read_hypotheses(path) == {key: text.strip() for key, text in texts.items()}
