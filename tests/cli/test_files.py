"""Which files a command writes: one rule, decided before any work."""

from pathlib import Path

import pytest

from catok.cli.errors import UsageError
from catok.cli.files import (
    READS_AUDIO,
    READS_CAT,
    WRITES_AUDIO,
    WRITES_CAT,
    Existing,
    Shard,
    plan_jobs,
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    """Where the commands are run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def targets(*inputs: str, out: str | None = None, **options) -> dict[str, str]:
    """Targets by source."""
    todo = plan_jobs(inputs, out, READS_AUDIO, WRITES_CAT, **options)
    return {job.name: str(job.target) for job in todo.jobs}


def test_a_slash_means_a_folder_which_is_made():
    touch("a.wav", "b.wav")
    for name in ("a", "b"):
        assert targets(f"{name}.wav", out="out/deep/") == {f"{name}.wav": f"out/deep/{name}.cat"}
    assert Path("out/deep").is_dir()
    assert targets("a.wav", out="out") == {"a.wav": "out/a.cat"}
    assert targets("a.wav", "b.wav", out="new") == {"a.wav": "new/a.cat", "b.wav": "new/b.cat"}
    assert Path("new").is_dir()


def test_without_a_name_outputs_lie_beside_their_inputs():
    touch("x/a.wav", "x/deep/b.WAV", "x/notes.txt")
    expected = {"x/a.wav": "x/a.cat", "x/deep/b.WAV": "x/deep/b.cat"}
    assert targets("x") == expected
    assert targets("x/a.wav") == {"x/a.wav": "x/a.cat"}


@pytest.mark.parametrize("out", ["x.wav", "x", "x.CAT.txt", "nowhere/x.wav"])
def test_a_suffix_of_another_command_is_refused(out):
    touch("a.wav")
    with pytest.raises(UsageError, match=r"ends in \.cat, or a folder"):
        targets("a.wav", out=out)
    assert targets("a.wav", out="x.CAT") == {"a.wav": "x.CAT"}
    with pytest.raises(UsageError, match=r"write x\.cat/"):
        targets("a.wav", "b.wav", out="x.cat")
    assert sorted(path.name for path in Path().iterdir()) == ["a.wav"]


def test_an_output_among_the_inputs_is_told_before_any_work():
    touch("a.wav")
    with pytest.raises(UsageError, match=r"x\.cat does not exist.* -o x\.cat"):
        targets("a.wav", "x.cat")
    assert targets("a.wav", "gone.wav", out="new") == {
        "a.wav": "new/a.cat",
        "gone.wav": "new/gone.cat",
    }


def test_equal_names_keep_their_folders():
    touch("in/a/x.wav", "in/b/x.wav", "in/b/y.wav")
    found = targets("in/a/x.wav", "in/b/x.wav", "in/b/y.wav", out="out")
    assert found == {
        "in/a/x.wav": "out/a/x.cat",
        "in/b/x.wav": "out/b/x.cat",
        "in/b/y.wav": "out/y.cat",
    }
    assert targets("in/a", "in/b", out="out")["in/a/x.wav"] == "out/a/x.cat"
    assert targets("in", out="out")["in/b/y.wav"] == "out/b/y.cat"


def test_a_shared_stem_affects_those_two_only():
    touch("in/x.wav", "in/x.flac", "in/y.wav", "in/take.1", "in/take.1.wav")
    for out, start in ((None, "in"), ("out", "out")):
        assert targets("in", out=out) == {
            "in/take.1.wav": f"{start}/take.1.cat",
            "in/x.flac": f"{start}/x.flac.cat",
            "in/x.wav": f"{start}/x.wav.cat",
            "in/y.wav": f"{start}/y.cat",
        }


def test_originals_are_not_replaced():
    touch("cats/a.cat", "cats/b.cat", "orig/a.wav")

    def decode(**options):
        todo = plan_jobs(("cats",), "orig", READS_CAT, WRITES_AUDIO, **options)
        return [str(job.target) for job in todo.jobs], todo.kept

    assert decode() == (["orig/b.wav"], 1)
    assert decode(existing=Existing(skip=True)) == (["orig/b.wav"], 1)
    assert decode(existing=Existing(overwrite=True)) == (["orig/a.wav", "orig/b.wav"], 0)


def test_of_a_single_one_only_a_named_file_is_replaced():
    touch("a.wav", "a.cat")
    with pytest.raises(ValueError, match=r"a\.cat exists already: --overwrite replaces it"):
        targets("a.wav")
    assert targets("a.wav", out="a.cat") == {"a.wav": "a.cat"}
    assert targets("a.wav", existing=Existing(overwrite=True)) == {"a.wav": "a.cat"}
    for out in (None, "a.cat"):
        assert targets("a.wav", out=out, existing=Existing(skip=True)) == {}
    with pytest.raises(UsageError, match="exclude each other"):
        Existing(overwrite=True, skip=True)


def test_an_input_is_never_an_output():
    touch("a.wav")
    for out in ("a.wav", "./a.wav"):
        with pytest.raises(ValueError, match="is an input"):
            plan_jobs(("a.wav",), out, READS_AUDIO, WRITES_AUDIO, Existing(overwrite=True))


def test_what_cannot_be_written_is_said_first(place):
    touch("a.wav", "file")
    for out, message in (
        ("nowhere/x.cat", "create it first"),
        ("file/", "cannot make the folder"),
        ("/dev/null", "ends in"),
    ):
        with pytest.raises((ValueError, UsageError), match=message):
            targets("a.wav", out=out)
    with pytest.raises(ValueError, match="file is a file"):
        targets("a.wav", "b.wav", out="file")
    with pytest.raises(ValueError, match=r"none\.wav does not exist"):
        targets("none.wav", out="made/")
    assert not Path("made").exists()


def test_shards_share_all_recordings_out_whatever_is_done():
    touch(*(f"in/{n}.wav" for n in range(7)), "in/0.cat")
    parts = [list(targets("in", shard=Shard.parse(f"{i}/3"))) for i in (1, 2, 3)]
    assert parts == [
        ["in/3.wav", "in/6.wav"],
        ["in/1.wav", "in/4.wav"],
        ["in/2.wav", "in/5.wav"],
    ]
    for wrong in ("0/3", "4/3", "1", "1/", "a/b", "1/0"):
        with pytest.raises(UsageError, match="from 1 to N"):
            Shard.parse(wrong)


def test_every_audio_suffix_can_be_written(tmp_path):
    import torch

    from catok import load_audio, save_audio

    for suffix in WRITES_AUDIO:
        save_audio(tmp_path / f"x{suffix}", torch.zeros(1, 4800), 48_000)
        assert load_audio(tmp_path / f"x{suffix}")[1] == 48_000
