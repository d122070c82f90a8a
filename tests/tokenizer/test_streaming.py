"""Steps and sessions: every chunking gives the offline result."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.tokenizer.model import LONG_FRAMES

FRAME = 1920


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.2


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 99))
def test_steps_equal_offline_past_the_window(small_model, chunks, seed):
    audio = noise(2, 1, sum(chunks) * FRAME, seed=seed)
    offline = small_model.encode(audio)
    encoder, decoder = small_model.encoder_state(2), small_model.decoder_state(2)
    codes, sound = [], []
    for chunk in audio.split([n * FRAME for n in chunks], dim=2):
        part, encoder = small_model.encode_step(chunk, encoder)
        played, decoder = small_model.decode_step(part, decoder)
        codes.append(part)
        sound.append(played)
    assert torch.equal(torch.cat(codes, dim=2), offline.codes)
    assert torch.allclose(torch.cat(sound, dim=2), small_model.decode(offline), atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=12), st.integers(1, 8))
def test_sessions_take_any_number_of_samples(small_model, pieces, depth):
    audio = noise(1, 1, sum(pieces))
    offline = small_model.encode(audio, num_quantizers=depth)
    session = small_model.stream_encoder(num_quantizers=depth)
    for _ in range(2):  # a flushed session is as new
        parts = [session.push(piece) for piece in audio.split(pieces, dim=2)]
        assert session.samples == sum(pieces)
        codes = torch.cat([*parts, session.flush()], dim=2)
        assert torch.equal(codes, offline.codes)
        assert session.samples == sum(pieces)  # still known
        encoded = small_model.encoded(codes, session.sample_lengths)
        assert torch.equal(encoded.sample_lengths, offline.sample_lengths)
    known, unknown = small_model.stream_decoder(samples=sum(pieces)), small_model.stream_decoder()
    for _ in range(2):
        frames = codes.split(1, dim=2)
        sound = [known.push(frame) for frame in frames]
        late = [unknown.push(frame) for frame in frames[:-1]]
        late.append(unknown.push(frames[-1], samples=session.samples))
        for player, parts in ((known, sound), (unknown, late)):
            whole = torch.cat([*parts, player.flush()], dim=2)
            assert torch.allclose(whole, small_model.decode(offline), atol=1e-5)
            assert player.samples == whole.shape[2] == sum(pieces)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 7), st.integers(0, 7)), max_size=8),
    st.integers(0, 99),
)
def test_rows_pause_restart_and_end_independently(small_model, plan, seed):
    """Each step: (frames, mask of rows that advance, mask of rows that start anew before it)."""
    state = small_model.encoder_state(3)
    streams: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[], [], []]
    finished = []
    for step, (frames, go, anew) in enumerate(plan):
        restart = [row for row in range(3) if anew >> row & 1]
        state = state.reset(restart) if restart else state
        for row in restart:
            finished.append(streams[row])
            streams[row] = []
        active = torch.tensor([bool(go >> row & 1) for row in range(3)])
        chunk = noise(3, 1, frames * FRAME, seed=seed * 100 + step)
        codes, state = small_model.encode_step(chunk, state, active)
        assert codes[~active].eq(0).all()
        for row in active.nonzero().flatten().tolist():
            streams[row].append((chunk[row], codes[row]))
    for stream in [*finished, *streams]:
        if stream:
            audio = torch.cat([chunk for chunk, _ in stream], dim=1)
            codes = torch.cat([part for _, part in stream], dim=1)
            assert torch.equal(codes, small_model.encode(audio[None]).codes[0])


def test_what_an_idle_row_is_given_is_ignored(small_model):
    audio = noise(2, 1, 4 * FRAME)
    expected = small_model.encode(audio).codes
    first, state = small_model.encode_step(audio[..., : 2 * FRAME], small_model.encoder_state(2))
    garbage = audio[..., 2 * FRAME :].clone()
    garbage[1] = float("nan")
    second, _ = small_model.encode_step(garbage, state, torch.tensor([True, False]))
    assert torch.equal(torch.cat((first, second), dim=2)[0], expected[0])
    assert second[1].eq(0).all()


def test_idle_rows_of_a_decoder_are_silent_and_keep_their_place(small_model):
    codes = torch.randint(0, 64, (2, 8, 6), generator=torch.Generator().manual_seed(0))
    expected = small_model.decode(codes)
    state = small_model.decoder_state(2)
    first, state = small_model.decode_step(codes[..., :3], state)
    garbage = codes[..., 3:].clone()
    garbage[1] = -1  # what an idle row is given is ignored
    idle, state = small_model.decode_step(garbage, state, torch.tensor([True, False]))
    assert idle[1].eq(0).all()
    assert torch.allclose(torch.cat((first, idle), dim=2)[0], expected[0], atol=1e-5)
    late, _ = small_model.decode_step(codes[..., 3:], state, torch.tensor([False, True]))
    assert torch.allclose(torch.cat((first, late), dim=2)[1], expected[1], atol=1e-5)


@pytest.mark.parametrize("hours", [1, 72, 20_000])
def test_a_stream_is_the_same_at_any_hour(small_model, hours):
    audio = noise(1, 1, 40 * FRAME)
    expected = small_model.encode(audio)

    def late(state, rates):
        for stage, rate in zip(state.stages, rates, strict=True):  # steps per second
            stage.positions = stage.positions + int(hours * 3600 * rate)
        return state

    rates = (100, 50, 25, 12.5)
    codes, _ = small_model.encode_step(audio, late(small_model.encoder_state(1), rates))
    assert torch.equal(codes, expected.codes)
    sound, _ = small_model.decode_step(codes, late(small_model.decoder_state(1), rates[::-1]))
    assert torch.allclose(sound, small_model.decode(expected), atol=1e-5)


def test_a_session_counts_one_stream_at_a_time(small_model):
    session = small_model.stream_encoder(2)
    session.push(noise(2, 1, 2500))
    session.flush()
    assert session.samples == 2500 and session.sample_lengths.tolist() == [2500, 2500]
    session.push(noise(2, 1, 100))
    assert session.samples == 100
    session.flush()
    session.flush()  # a stream of nothing
    assert session.samples == 0


def test_long_pieces_are_worked_off_in_short_ones(small_model, monkeypatch):
    """Memory does not grow with a piece: no stage ever sees more than LONG_FRAMES at once."""
    audio = noise(1, 1, 2 * LONG_FRAMES * FRAME + 5000)
    seen = []
    for side in (small_model.encoder, small_model.decoder):
        step = side.step
        monkeypatch.setattr(
            side, "step", lambda x, *rest, step=step: (seen.append(x.shape[2]), step(x, *rest))[1]
        )
    whole = audio[..., : audio.shape[2] // FRAME * FRAME]
    session, player = small_model.stream_encoder(), small_model.stream_decoder()
    codes = session.push(audio)
    stepped, _ = small_model.encode_step(whole, small_model.encoder_state(1))
    sound = player.push(codes)
    assert max(seen) <= LONG_FRAMES * FRAME and len(seen) == 9
    monkeypatch.undo()
    offline = small_model.encode(whole)
    assert torch.equal(codes, offline.codes) and torch.equal(stepped, offline.codes)
    assert torch.allclose(sound, small_model.decode(offline), atol=1e-5)


def test_what_was_pushed_may_be_overwritten(small_model):
    """A sound card's buffer is filled again and again."""
    audio, buffer = noise(1, 1, 3 * FRAME), torch.zeros(1, 1, 1000)
    session, codes = small_model.stream_encoder(), []
    for piece in audio.split(1000, dim=2):
        buffer[..., : piece.shape[2]] = piece
        codes.append(session.push(buffer[..., : piece.shape[2]]))
        buffer.fill_(9)
    codes.append(session.flush())
    assert torch.equal(torch.cat(codes, dim=2), small_model.encode(audio).codes)


def test_a_session_survives_a_bad_push(small_model):
    audio = noise(1, 1, 4000)
    session = small_model.stream_encoder()
    first = session.push(audio[..., :2500])
    for bad in (audio.double(), audio * float("nan"), audio.repeat(1, 2, 1)):
        with pytest.raises(ValueError):
            session.push(bad)
    codes = torch.cat([first, session.push(audio[..., 2500:]), session.flush()], dim=2)
    assert torch.equal(codes, small_model.encode(audio).codes)


def test_sessions_take_fewer_dimensions_and_empty_pieces(small_model):
    audio = noise(1, 1, 2 * FRAME)
    expected = small_model.encode(audio).codes
    for shaped in (audio[0], audio[0, 0]):
        assert torch.equal(small_model.stream_encoder().push(shaped), expected)
    session = small_model.stream_encoder()
    assert session.push(audio[..., :0]).shape == (1, 8, 0)
    assert session.flush().shape == (1, 8, 0)
    player = small_model.stream_decoder()
    assert player.push(expected[0]).shape == (1, 1, 2 * FRAME)
    assert player.push(expected[..., :0]).shape == (1, 1, 0)
