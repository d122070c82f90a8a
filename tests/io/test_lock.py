"""One run to a folder; a run that died is in nobody's way."""

import os
import signal
import subprocess
import sys

import pytest

from catok.io.lock import folder_lock

HOLD = """
import sys, time
from catok.io.lock import folder_lock
with folder_lock(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_told_who_holds_the_folder(tmp_path):
    with folder_lock(tmp_path / "run"):
        by_us = f"run is in use by process {os.getpid()} on "
        with pytest.raises(ValueError, match=by_us), folder_lock(tmp_path / "run"):
            pass
        assert (tmp_path / "run" / ".lock").is_file()  # the second attempt took nothing away
    with folder_lock(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()  # it was made for the lock, and nothing came of it


@pytest.mark.parametrize("there", [False, True])
def test_of_a_run_that_fails_no_empty_folder_is_left(tmp_path, there):
    run = tmp_path / "a" / "run"
    if there:
        run.mkdir(parents=True)
    with pytest.raises(KeyError), folder_lock(run):
        raise KeyError
    assert run.exists() == there == (tmp_path / "a").exists()
    with pytest.raises(KeyError), folder_lock(run):
        (run / "log").write_text("kept")
        raise KeyError
    assert [file.name for file in run.iterdir()] == ["log"]


def test_a_lock_ends_with_its_process(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        with pytest.raises(ValueError, match=f"process {holder.pid} on "), folder_lock(tmp_path):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert (tmp_path / ".lock").is_file()
    with folder_lock(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"{os.getpid()} ")
    assert not list(tmp_path.iterdir())


def test_a_lock_ends_with_an_error(tmp_path):
    with pytest.raises(KeyError), folder_lock(tmp_path):
        raise KeyError
    with folder_lock(tmp_path):
        pass


def test_without_locks_the_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("catok.io.lock.fcntl", None)
    with folder_lock(tmp_path), folder_lock(tmp_path):
        pass
