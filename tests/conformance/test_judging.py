"""Near ties, missing frames and noise are told apart."""

from dataclasses import replace

import numpy as np
import pytest

from catok.conformance.judging import Limits, NotOffered, judge
from catok.conformance.tasks import tasks_of


@pytest.fixture(scope="module")
def variant(kit):
    return kit["24khz"]


def first_task(variant, direction, check="whole"):
    return next(t for t in tasks_of(variant, [check]) if t.direction == direction)


def expected(variant, task, limits=None):
    recording = variant.recordings[task.places[0][0][0]]
    if task.direction == "encode":
        return recording.codes
    return np.nan_to_num(recording.decoded[task.depth], nan=0.5)[:, : task.lengths[0]]


@pytest.mark.parametrize("direction", ["encode", "decode"])
def test_what_is_equal_passes(variant, direction):
    task = first_task(variant, direction)
    outcome = judge(variant, task, lambda: [expected(variant, task)], Limits())
    assert outcome.passed and outcome.first_wrong is None and not outcome.lost
    assert len(outcome.frames) == 40


def test_one_code_is_found(variant):
    task = first_task(variant, "encode")
    codes = expected(variant, task).copy()
    codes[3, 17] ^= 1
    outcome = judge(variant, task, lambda: [codes], Limits())
    assert not outcome.passed and outcome.first_wrong.index == 17
    assert outcome.share() == 1 - 1 / codes.size
    assert outcome.share(True) == 1 and outcome.share(False) < 1
    assert outcome.lost == variant.recordings["long"].margins[3, 17]
    assert judge(variant, task, lambda: [codes], Limits(equal=0.999)).passed


def test_a_near_tie_and_what_follows_it_in_the_frame_is_not_judged(variant):
    task = first_task(variant, "encode")
    long = variant.recordings["long"]
    margins = long.margins.copy()
    margins[3, 17] = 1e-6
    near = replace(
        variant, recordings={**variant.recordings, "long": replace(long, margins=margins)}
    )
    codes = long.codes.copy()
    codes[3:, 17] ^= 1
    outcome = judge(near, task, lambda: [codes], Limits())
    assert outcome.passed and outcome.ties == 1
    assert sum(frame.judged for frame in outcome.frames) == codes.size - (len(codes) - 3)
    codes[2, 17] ^= 1  # a look-up before it is no tie
    assert not judge(near, task, lambda: [codes], Limits()).passed


def test_noise_of_a_frame_counts_by_its_level(variant):
    task = first_task(variant, "decode")
    size = variant.config.frame_size
    sound = expected(variant, task).copy()
    kept = variant.recordings["long"].decoded[32][:, 9 * size : 10 * size]
    rms = float(np.sqrt(np.nanmean(np.square(kept))))
    sound[:, 9 * size : 10 * size] += rms * 1e-3
    outcome = judge(variant, task, lambda: [sound], Limits())
    assert not outcome.passed and outcome.first_wrong.index == 9
    assert outcome.snr() == pytest.approx(60, abs=0.5)
    assert judge(variant, task, lambda: [sound], Limits(snr=59)).passed


def test_what_is_missing_is_wrong(variant):
    task = first_task(variant, "encode", "partial")
    outcome = judge(variant, task, lambda: [expected(variant, task)[:, :-1]], Limits())
    assert not outcome.passed and outcome.fault == "5 frames where there are 6"
    assert outcome.first_wrong.index == 5
    task = first_task(variant, "decode", "partial")
    outcome = judge(variant, task, lambda: [expected(variant, task)[:, :-1]], Limits())
    assert not outcome.passed and "samples where there are" in outcome.fault
    wrong = judge(variant, task, lambda: [np.zeros(7)], Limits())
    assert "audio of shape [7]" in wrong.fault
    none = judge(variant, task, lambda: [], Limits())
    assert none.fault == "0 rows where 1 were asked for"


def test_errors_and_what_is_not_offered_are_told_apart(variant):
    task = first_task(variant, "encode")

    def fail():
        raise RuntimeError("no\nsuch kernel")

    def refuse():
        raise NotOffered("no streams")

    assert judge(variant, task, fail, Limits()).fault == "RuntimeError: no such kernel"
    assert not judge(variant, task, fail, Limits()).passed
    outcome = judge(variant, task, refuse, Limits())
    assert outcome.passed and outcome.absent == "no streams"


def test_sound_that_is_not_finite_fails(variant):
    task = first_task(variant, "decode")
    outcome = judge(variant, task, lambda: [np.full((1, task.lengths[0]), np.nan)], Limits())
    assert not outcome.passed and outcome.snr() == float("-inf")
