"""Long recordings in pieces: where they are cut, and what comes when."""

import dataclasses
from itertools import pairwise

import pytest

from catok import Encoded, load_audio, save_audio
from catok.lm.asr import DecodingConfig, join_segments
from tests.lm.asr.conftest import BEAM, CTC, GREEDY, noise, same


def test_long_recordings_are_cut_where_they_are_quiet(recognizer, small_model):
    audio = noise(24_000 * 3)
    audio[:, 24_000 * 9 // 10 : 24_000] *= 0.01  # quiet around 0.95 s: frame 11 ends at 0.96 s
    config = DecodingConfig("ctc", timestamps=True, max_seconds=1.2, pause_window=0.4)
    whole = recognizer.transcribe(audio, 24_000, config)
    codes = small_model.encode(audio[None]).codes[0]
    first = recognizer.transcribe_codes(codes[:, :12], config)
    assert whole.tokens[: len(first.tokens)] == first.tokens
    assert whole.words[: len(first.words) - 1] == first.words[:-1]
    starts = [word.start for word in whole.words]
    assert starts == sorted(starts) and 1.2 < starts[-1] < 3.04
    long_limit = dataclasses.replace(config, max_seconds=5.0)
    assert recognizer.transcribe_codes(codes, long_limit).tokens != whole.tokens
    assert recognizer.transcribe_codes(codes, config).tokens  # cut by what the codes sound like


@pytest.mark.parametrize("config", [CTC, GREEDY, dataclasses.replace(BEAM, beam=2)])
def test_files_give_piece_by_piece_what_the_whole_gives(recognizer, small_model, tmp_path, config):
    config = dataclasses.replace(
        config, timestamps=True, max_seconds=0.8, pause_window=0.3, batch=3
    )
    audio = noise(60_001)
    save_audio(tmp_path / "long.wav", audio, 24_000)
    audio = load_audio(tmp_path / "long.wav")[0]
    small_model.encode(audio[None]).save(tmp_path / "long.cat")
    segments = list(recognizer.transcribe_file(tmp_path / "long.wav", config))
    assert len(segments) > 3 and segments[0].start == 0
    assert all(before.end == after.start for before, after in pairwise(segments))
    assert segments[-1].end == 60_001 / 24_000
    whole = recognizer.transcribe(audio, 24_000, config)
    same(join_segments(segments), whole)
    blocks = audio.split([1, 2_000, 50_000, 8_000], dim=1)
    same(join_segments(recognizer.transcribe_blocks(blocks, config)), whole)
    codes = Encoded.load(tmp_path / "long.cat")
    with (tmp_path / "long.cat").open("rb") as file:
        same(
            join_segments(recognizer.transcribe_file(file, config)),
            recognizer.transcribe_codes(codes, config),
        )


def test_pieces_of_a_stream_without_end_come_while_it_runs(recognizer):
    config = dataclasses.replace(CTC, max_seconds=0.8, pause_window=0.3, batch=2)
    read = []

    def endless():
        while True:
            read.append(noise(9_600, seed=len(read)))
            yield read[-1]

    segments = recognizer.transcribe_blocks(endless(), config)
    for count in range(1, 6):
        segment = next(segments)
        assert len(read) * 0.4 < segment.end + 2 * 0.8 + 0.4  # no more is read than a batch needs
        assert count == 1 or segment.start > 0


def test_a_recording_of_nothing_is_refused(recognizer):
    with pytest.raises(ValueError, match="no audio to transcribe"):
        list(recognizer.transcribe_blocks([], CTC))
