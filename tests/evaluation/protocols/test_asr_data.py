"""Every layout of recordings with text, chosen by what is there."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.protocols.asr import read_hypotheses, score_asr
from catok.evaluation.protocols.asr_data import LAYOUTS, read_asr_data
from catok.evaluation.protocols.items import ASRItem
from catok.evaluation.text_units import standard_units

from .conftest import ByLength


def test_librispeech(put, record, tmp_path):
    put("test/61/70968/61-70968.trans.txt", "61-70968-0001 SECOND ONE", "61-70968-0000 HE BEGAN")
    first, second = (record(f"test/61/70968/61-70968-000{i}.flac") for i in range(2))
    assert read_asr_data(tmp_path / "test") == [
        ASRItem("61-70968-0000", first, "HE BEGAN", "en"),
        ASRItem("61-70968-0001", second, "SECOND ONE", "en"),
    ]


def test_librispeech_lines_are_checked(put, record, tmp_path):
    put("test/1-1.trans.txt", "1-1-0000 HE BEGAN", "1-1-0001")
    heard = record("test/1-1-0000.wav")
    with pytest.raises(ValueError, match=r'1-1-0001 has no "text"'):
        read_asr_data(tmp_path / "test")
    put("test/1-1.trans.txt", "1-1-0000 HE BEGAN", "1-1-0001 AND ENDED")
    gone = tmp_path / "test" / "1-1-0001.flac"  # its row will say so
    assert [item.audio for item in read_asr_data(tmp_path / "test")] == [heard, gone]


def test_aishell_1_from_the_folder_of_a_split(put, record, tmp_path):
    put("data/transcript/aishell_transcript_v0.8.txt", "S1W1 甚至 出现", "S2W1 别 处")
    audio = record("data/wav/test/S1/S1W1.wav")
    record("data/wav/test/S1/S1W2.wav")  # the corpus has recordings without transcripts
    found = read_asr_data(tmp_path / "data" / "wav" / "test")
    assert found == [ASRItem("S1W1", audio.absolute(), "甚至 出现", "zh")]
    assert read_asr_data(tmp_path / "data") == found


def test_aishell_2(put, tmp_path):
    put("iOS/wav.scp", "IT1\twav/T1/IT1.wav", "IT2\twav/T1/IT2.wav")
    put("iOS/trans.txt", "IT2\t打开 音乐", "IT1\t你好")
    assert read_asr_data(tmp_path / "iOS") == [
        ASRItem("IT1", tmp_path / "iOS/wav/T1/IT1.wav", "你好", "zh"),
        ASRItem("IT2", tmp_path / "iOS/wav/T1/IT2.wav", "打开 音乐", "zh"),
    ]


def test_kaldi(put, tmp_path):
    put("k/wav.scp", "a wavs/a b.wav", "b /x/b.wav")
    put("k/text", "a one two", "b tři")
    put("k/utt2lang", "b cs")
    assert read_asr_data(tmp_path / "k", "en") == [
        ASRItem("a", tmp_path / "k/wavs/a b.wav", "one two", "en"),
        ASRItem("b", Path("/x/b.wav"), "tři", "cs"),
    ]


@pytest.mark.parametrize(
    ("scp", "text", "complaint"),
    [
        (["a a.wav", "b sox b |"], ["a x", "b y"], r"wav\.scp, line 2: needs the path"),
        (["a a.wav", "b b.wav"], ["a x"], r'b has no "text"'),
        (["a a.wav"], ["a x", "", "b y"], r"text has a line of b, which is no utterance"),
        (["a a.wav", "a b.wav"], ["a x"], r"wav\.scp, line 2: a is already in line 1"),
    ],
)
def test_kaldi_lines_are_checked(put, tmp_path, scp, text, complaint):
    put("k/wav.scp", *scp)
    put("k/text", *text)
    with pytest.raises(ValueError, match=complaint):
        read_asr_data(tmp_path / "k")


def test_kaldi_segments_are_parts_of_files(put, record, tmp_path):
    audio = record("k/long.wav", 800)
    put("k/wav.scp", f"long {audio}")
    put("k/segments", "a long 0 0.05", "b long 0.05 -1")
    put("k/text", "a one", "b two")
    items = read_asr_data(tmp_path / "k", "en")
    assert [(item.audio, item.offset, item.seconds) for item in items] == [
        (audio, 0, 0.05),
        (audio, 0.05, None),
    ]
    hears = ByLength({400: "one"})
    first, second = score_asr(items, hears, standard_units)
    assert first.figures == {"seconds": 0.05} and first.percent == 0
    assert second.figures == {"seconds": 0.05} and second.percent == 100


def test_manifest(put, tmp_path):
    path = put(
        "m.jsonl",
        '{"audio": "x/a.wav", "text": " Hello. ", "duration": 3.2}',
        '{"audio": "b.wav", "text": "Ahoj", "language": "cs", "id": "second"}',
    )
    assert read_asr_data(path, "en") == [
        ASRItem("x/a", tmp_path / "x/a.wav", "Hello.", "en"),
        ASRItem("second", tmp_path / "b.wav", "Ahoj", "cs"),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must hold a JSON object"),
        ('{"audio": "a.wav"}', 'a.wav has no "text"'),
        ('{"audio": "a.wav", "text": " "}', 'a.wav has no "text"'),
        ('{"audio": 3, "text": "x"}', "audio must be a string"),
        ('{"audio": "a.wav", "text": "x", "language": 1}', "language must be a string"),
        (
            '{"audio": "a.wav", "text": "x", "source": "me"}',
            'write "corpus" or',
        ),
        ('{"codes": "a.cat", "text": "x"}', "has codes and no audio"),
    ],
)
def test_manifest_lines_are_checked(put, line, complaint):
    path = put("m.jsonl", '{"audio": "z.wav", "text": "x"}', line)
    with pytest.raises(ValueError, match=rf"m\.jsonl, line 2.*{complaint}"):
        read_asr_data(path)


def test_audio_with_texts_of_the_same_name(put, record, tmp_path):
    audio = record("plain/deep/a.wav")
    put("plain/deep/a.txt", "Hello.")
    found = [ASRItem("deep/a", audio, "Hello.", "en")]
    assert read_asr_data(tmp_path / "plain", "en") == found
    record("plain/b.wav")
    with pytest.raises(ValueError, match=r'b\.wav has no "text"'):
        read_asr_data(tmp_path / "plain")


def test_an_unknown_layout_is_told_the_known_ones(record, tmp_path):
    record("plain/a.wav")
    for path in (tmp_path / "plain", tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="none of the layouts") as caught:
            read_asr_data(path)
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
