"""One walk for all: links, hidden files, and a count of what is left out."""

import os
from pathlib import Path

import pytest
import torch

from catok.audio import save_audio
from catok.data.folders import AUDIO_SUFFIXES, find_audio, find_files


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(folder: Path) -> list[str]:
    return [str(file.relative_to(folder)) for file in find_audio(folder).files]


def test_audio_is_found_by_suffix_and_the_rest_counted(tmp_path):
    touch(tmp_path, "b.WAV", "a/z.oga", "a/y.m4a", "c.sph", "x.txt", "a/x.txt", "x.Pdf", "README")
    found = find_audio(tmp_path)
    assert names(tmp_path) == ["a/y.m4a", "a/z.oga", "b.WAV", "c.sph"]
    assert found.left_out == {".txt": 2, ".pdf": 1, "without suffix": 1}
    assert found.summary == "2 .txt, 1 .pdf, 1 without suffix"
    assert find_files(tmp_path, {".txt"}).files == [tmp_path / "a/x.txt", tmp_path / "x.txt"]


def test_suffixes_of_other_readers_than_soundfile_are_known():
    assert {".oga", ".au", ".caf", ".aifc", ".sph", ".opus", ".w64"} < AUDIO_SUFFIXES
    assert {".m4a", ".aac", ".mp4", ".webm", ".wma"} < AUDIO_SUFFIXES


def test_hidden_files_and_folders_are_left_out_but_not_the_folder_itself(tmp_path):
    touch(tmp_path, ".data/a.wav", ".data/._a.wav", ".data/.git/b.wav", ".data/s/.c/d.wav")
    found = find_audio(tmp_path / ".data")
    assert found.files == [tmp_path / ".data/a.wav"]
    assert found.summary == "3 hidden"


def test_links_to_folders_and_files_are_followed(tmp_path):
    touch(tmp_path, "real/deep/b.wav", "elsewhere.wav", "tree/a.wav")
    os.symlink(tmp_path / "real", tmp_path / "tree/speaker2")
    os.symlink(tmp_path / "elsewhere.wav", tmp_path / "tree/c.wav")
    assert names(tmp_path / "tree") == ["a.wav", "c.wav", "speaker2/deep/b.wav"]


def test_links_neither_loop_nor_repeat(tmp_path):
    touch(tmp_path, "tree/z/a.wav", "outside/b.wav")
    for target, link in (
        ("tree", "tree/z/up"),  # an ancestor
        ("tree/z", "tree/a_before_z"),
        ("", "tree/z/above"),  # holds `tree` again, and `outside`
        ("outside", "tree/twice"),
        ("tree/self", "tree/self"),
    ):
        os.symlink(tmp_path / target, tmp_path / link)
    found = find_audio(tmp_path / "tree")
    assert [os.path.realpath(file) for file in found.files].count(
        str(tmp_path / "outside/b.wav")
    ) == 1
    assert names(tmp_path / "tree") == ["twice/b.wav", "z/a.wav"]
    assert found.left_out["linked folders found elsewhere"] == 4
    assert found.left_out["without suffix"] == 1  # the link to itself


def test_many_crossed_links_stay_cheap(tmp_path):
    """Where every folder links to every other, following all of them never ends."""
    folders = [tmp_path / f"f{i}" for i in range(12)]
    for folder in folders:
        touch(folder, "a.wav")
    for folder in folders:
        for other in folders:
            os.symlink(other, folder / f"to_{other.name}")
    assert len(find_audio(tmp_path).files) == 12
    assert len(find_audio(folders[0]).files) == 12


def test_a_link_to_nothing_is_listed_and_a_pipe_is_not(tmp_path):
    os.symlink(tmp_path / "gone.wav", tmp_path / "a.wav")
    os.mkfifo(tmp_path / "b.wav")
    found = find_audio(tmp_path)
    assert found.files == [tmp_path / "a.wav"]
    assert found.left_out == {".wav": 1}


def test_a_long_list_of_suffixes_is_cut_and_odd_ones_are_not_shown(tmp_path):
    touch(tmp_path, *(f"{n}.s{n}" for n in range(9)), "0.txt", "1.txt", "x.\x1b[31m", "y.a b c")
    assert find_audio(tmp_path).summary == (
        "2 .txt, 2 without suffix, 1 .s0, 1 .s1, 1 .s2, 1 .s3, 5 others"
    )


def test_no_folder(tmp_path):
    touch(tmp_path, "a.wav")
    for path in (tmp_path / "none", tmp_path / "a.wav"):
        with pytest.raises(ValueError, match="no folder at .*: check the path"):
            find_audio(path)


def test_every_command_uses_this_walk(tmp_path):
    """Encoding and transcribing (by `plan`), training and evaluation find the same files."""
    from catok.cli.files import READS_AUDIO, plan_jobs
    from catok.evaluation.run.recordings import read_recordings
    from catok.training.codec.data import left_out, read_cuts

    touch(tmp_path, "real/.hidden.wav", "real/b.oga", "tree/.git/x.wav", "tree/x.txt", "tree/y.m4a")
    save_audio(tmp_path / "tree/a.wav", torch.zeros(1, 2400), 24_000)
    os.symlink(tmp_path / "real", tmp_path / "tree/speaker2")
    tree = tmp_path / "tree"
    expected = [tree / "a.wav", tree / "speaker2/b.oga", tree / "y.m4a"]
    jobs = plan_jobs((str(tree),), str(tmp_path / "out"), READS_AUDIO, (".cat",))
    assert [job.source for job in jobs.jobs] == expected
    assert jobs.left_out == {"hidden": 2, ".txt": 1}
    assert [recording.path for recording in read_recordings(tree)] == expected
    assert [cut.id for cut in read_cuts(tree)] == list(map(str, expected))
    assert left_out(tree) == "2 hidden, 1 .txt"


def test_names_as_long_as_they_may_be(tmp_path):
    """Their texts (.txt) would have names too long to be asked for."""
    from catok.data.recordings import read_folder
    from catok.training.codec.data import left_out

    save_audio(tmp_path / "a.wav", torch.zeros(1, 2400), 24_000)
    os.rename(tmp_path / "a.wav", tmp_path / ("x" * 252 + ".au"))
    assert [entry.text for entry in read_folder(tmp_path)] == [None]
    assert left_out(tmp_path) == ""
