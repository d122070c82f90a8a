"""Pools of streams: what a stream gets in company is what it gets alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.tokenizer.stream_pool import MOST_FRAMES, DecoderPool, EncoderPool, PoolFull

FRAME = 1920


def noise(samples, seed=0):
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(seed)) * 0.2


def drained(pool, found=None):
    """What the streams of a pool get until nothing is left to do, by number."""
    found = {} if found is None else found
    while pool.busy:
        for output in pool.step():
            found.setdefault(output.stream, []).append(output.data)
    return found


moves = st.lists(
    st.tuples(
        st.integers(0, 4),  # whose
        st.one_of(st.integers(0, 9000), st.just(40 * FRAME), st.just(-1)),  # samples, or the end
        st.integers(0, 3),  # steps after that
    ),
    min_size=3,
    max_size=20,
)


@settings(deadline=None, max_examples=25)
@given(moves, st.integers(0, 99))
def test_streams_that_come_and_go_encode_as_if_alone(small_model, plan, seed):
    pool = EncoderPool(small_model)
    numbers, pushed, codes, ended = {}, {}, {}, set()

    def step():
        for output in pool.step():
            codes.setdefault(output.stream, []).append(output.data)
            if output.ended:
                ended.add(output.stream)

    for index, (who, samples, steps) in enumerate(plan):
        if who not in numbers:
            numbers[who] = pool.open(1 + (who + seed) % 8)
            pushed[numbers[who]] = [who]
        number = numbers[who]
        if samples < 0:
            pool.finish(number)
            del numbers[who]
        else:
            audio = noise(samples, seed * 100 + index)
            pool.push(number, audio)
            pushed[number].append(audio)
        for _ in range(steps):
            step()
    for number in numbers.values():
        pool.finish(number)
    while pool.busy:
        step()
    assert len(pool) == 0 and ended == set(pushed)
    for number, (who, *parts) in pushed.items():
        audio = torch.cat([noise(0), *parts], dim=1)
        found = torch.cat(codes[number], dim=1)
        if audio.shape[1] == 0:
            assert found.shape[1] == 0
            continue
        alone = small_model.encode(audio[None], num_quantizers=1 + (who + seed) % 8)
        assert torch.equal(found, alone.codes[0])


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 8), st.integers(0, 3)), min_size=1),
    st.integers(0, 99),
)
def test_streams_decode_as_if_alone(small_model, streams, seed):
    """Each: frames, codebooks, frames of a prefix that is not heard."""
    generator = torch.Generator().manual_seed(seed)
    pool, expected, found = DecoderPool(small_model), {}, {}
    for frames, depth, prefix in streams[:6]:
        codes = torch.randint(0, 64, (depth, prefix + frames), generator=generator)
        samples = frames * FRAME - 7 if frames % 2 else None
        number = pool.open(samples)
        if prefix:
            pool.push(number, codes[:, :prefix], silent=True)
        half = prefix + frames // 2
        pool.push(number, codes[:, prefix:half])
        for output in pool.step():
            found.setdefault(output.stream, []).append(output.data)
        pool.push(number, codes[:, half:])
        pool.finish(number)
        whole = small_model.decode(codes[None])[0, :, prefix * FRAME :]
        expected[number] = whole[:, :samples]
    drained(pool, found)
    for number, sound in expected.items():
        assert torch.allclose(torch.cat(found[number], dim=1), sound, atol=1e-5)


def test_nobody_waits_for_a_long_recording(small_model):
    pool = EncoderPool(small_model)
    long, live = pool.open(), pool.open()
    pool.push(long, noise(400 * FRAME))
    for turn in range(4):
        pool.push(live, noise(FRAME, turn))
        outputs = [output for _ in range(3) for output in pool.step()]
        assert [output.data.shape[1] for output in outputs if output.stream == live] == [1]
    many = [pool.open() for _ in range(40)]
    for number in many:
        pool.push(number, noise(16 * FRAME))
    seen = set()
    while pool.busy and not seen >= set(many):
        outputs = pool.step()
        assert sum(output.data.shape[1] for output in outputs) <= MOST_FRAMES
        seen |= {output.stream for output in outputs}
    assert seen >= set(many)


def test_rows_are_limited_and_free_again(small_model):
    pool = EncoderPool(small_model, rows=2)
    first, second = pool.open(), pool.open()
    with pytest.raises(PoolFull, match="all 2 rows"):
        pool.open()
    pool.push(first, noise(3 * FRAME))
    pool.push(second, noise(3 * FRAME, 1))
    pool.step()
    pool.close(first)  # gone in the middle: who is left does not notice
    pool.close(first)
    third = pool.open()
    pool.push(third, noise(3 * FRAME, 2))
    assert first not in pool and third in pool and len(pool) == 2
    found = drained(pool)
    assert torch.equal(
        torch.cat(found[third], dim=1), small_model.encode(noise(3 * FRAME, 2)[None]).codes[0]
    )
    assert first not in found


def test_a_paused_stream_keeps_its_place(small_model):
    pool = EncoderPool(small_model)
    one, other = pool.open(), pool.open()
    pool.push(one, noise(8 * FRAME))
    pool.push(other, noise(8 * FRAME, 1))
    found = {output.stream: [output.data] for output in pool.step()}
    pool.pause(one, True)
    drained(pool, found)
    assert torch.cat(found[one], dim=1).shape[1] == 4 and pool.waiting(one) == 4
    pool.pause(one, False)
    drained(pool, found)
    assert torch.equal(
        torch.cat(found[one], dim=1), small_model.encode(noise(8 * FRAME)[None]).codes[0]
    )


def test_bad_input_leaves_a_stream_as_it_was(small_model):
    encoders, decoders = EncoderPool(small_model), DecoderPool(small_model)
    audio, codes = encoders.open(), decoders.open()
    for bad in (noise(5).double(), noise(5).repeat(2, 1), noise(5) * float("nan")):
        with pytest.raises(ValueError):
            encoders.push(audio, bad)
    decoders.push(codes, torch.zeros(3, 1, dtype=torch.int64))
    for bad in (torch.zeros(2, 1, dtype=torch.int64), torch.full((3, 1), 64), torch.zeros(3, 1)):
        with pytest.raises(ValueError):
            decoders.push(codes, bad)
    assert encoders.samples(audio) == 0 and decoders.waiting(codes) == 1
    with pytest.raises(ValueError, match="num_quantizers"):
        encoders.open(9)
