"""Kaldi folders: whatever does not fit together is an error, not left out."""

import pytest

from catok.data.kaldi import read_kaldi


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text(text)
    return folder


def test_segments(tmp_path):
    write(
        tmp_path,
        wav_scp="r1 one.wav\nr2 two words.wav\n",
        segments="u1 r2 0.5 2\nu2 r1 3 -1\n",
        text="u1 hello there\n",
        utt2spk="u2 ann\n",
        reco2dur="r1 9.5\n",
    )
    first, second = read_kaldi(tmp_path)
    assert (first.id, first.audio) == ("u1", tmp_path / "two words.wav")
    assert (first.offset, first.duration, first.text) == (0.5, 1.5, "hello there")
    assert (second.offset, second.duration, second.total) == (3.0, None, 9.5)
    assert (second.speaker, second.text) == ("ann", None)


def test_whole_recordings(tmp_path):
    write(tmp_path, wav_scp="a a.wav\n", reco2dur="a 2.5\n", utt2lang="a en\n")
    (found,) = read_kaldi(tmp_path)
    assert (found.offset, found.duration, found.language) == (None, 2.5, "en")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"wav_scp": "a a.wav\na b.wav\n"}, "line 2: a is already in line 1"),
        ({"wav_scp": "a sox a.sph |\n"}, "line 1: .*what pipes give"),
        ({"wav_scp": "a\n"}, "line 1: needs the path"),
        ({"text": "A upper\n"}, "text has a line of A"),
        ({"utt2spk": "b bob\n"}, "utt2spk has a line of b"),
        ({"segments": "u a nan 2\n"}, "segments, line 1"),
        ({"segments": "u a 0 1e305\n"}, "segments, line 1"),
        ({"segments": "u a 2 1\n"}, "segments, line 1"),
        ({"segments": "u a x 1\n"}, "segments, line 1"),
        ({"segments": "u b 0 1\n"}, "line 1: wav.scp has no b"),
        ({"reco2dur": "a nan\n"}, "reco2dur, line 1"),
        ({"wav_scp": "\n"}, "lists no recordings"),
    ],
)
def test_what_does_not_fit(tmp_path, files, said):
    with pytest.raises(ValueError, match=said):
        read_kaldi(write(tmp_path, **({"wav_scp": "a a.wav\n"} | files)))
