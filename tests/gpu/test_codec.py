import pytest
import torch


def close(found, expected, tolerance=1e-4):
    torch.testing.assert_close(found.cpu(), expected, rtol=tolerance, atol=tolerance)


def test_codes_and_audio_are_those_of_the_cpu(model, moved, audio):
    codes = model.encode(audio).codes
    found = moved.encode(audio.to(moved.device)).codes
    assert found.device.type == moved.device.type
    assert float((found.cpu() == codes).float().mean()) > 0.99  # ties in the last bit
    close(moved.decode(codes.to(moved.device)), model.decode(codes))


def test_every_prefix_of_the_codebooks_decodes(model, moved, audio):
    codes = model.encode(audio).codes
    for depth in (1, 3, 8):
        close(moved.decode(codes.to(moved.device), depth), model.decode(codes, depth))


def test_streams_give_what_whole_recordings_give(moved, audio):
    audio = audio.to(moved.device)
    whole = moved.encode(audio).codes
    encoder = moved.encoder_state(2)
    chunks = []
    for chunk in audio[..., : 25 * 1920].split(5 * 1920, dim=2):
        codes, encoder = moved.encode_step(chunk, encoder)
        chunks.append(codes)
    streamed = torch.cat(chunks, dim=2)
    assert float((streamed == whole[..., : streamed.shape[2]]).float().mean()) > 0.99
    decoder = moved.decoder_state(2)
    sounds = []
    for column in streamed.split(1, dim=2):
        sound, decoder = moved.decode_step(column, decoder)
        sounds.append(sound)
    close(torch.cat(sounds, dim=2), moved.decode(streamed).cpu(), 1e-3)


def test_decoding_in_bfloat16_is_close(model, moved, audio):
    latents = model.embed(model.encode(audio).codes).to(moved.device)
    with torch.no_grad():
        plain = moved.side("decoder")(latents)
        with torch.autocast(moved.device.type, torch.bfloat16):
            half = moved.side("decoder")(latents).float()
    assert float((half - plain).norm() / plain.norm()) < 0.05


def test_weights_in_half_precision_decode(model, moved, audio):
    codes = model.encode(audio).codes
    expected = model.decode(codes)
    for dtype in (torch.bfloat16, torch.float16):
        found = moved.to(dtype).decode(codes.to(moved.device)).float().cpu()
        assert float((found - expected).norm() / expected.norm()) < 0.2


def test_a_compiled_decoder_gives_the_same(cuda, moved, model, audio):
    codes = model.encode(audio).codes
    moved.decoder.compile()
    close(moved.decode(codes.to(cuda)), model.decode(codes), 1e-3)


def test_a_pass_can_be_captured_as_a_cuda_graph(cuda, moved, audio):
    given = audio[:, :, :38_400].to(cuda)
    with torch.no_grad():
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                moved(given)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            made = moved(given).audio
        other = given.flip(0) * 0.5
        expected = moved(other).audio.clone()
        given.copy_(other)
        graph.replay()
    close(made, expected.cpu(), 1e-4)


@pytest.mark.parametrize("window", [64, 1024])
def test_the_spectrum_and_its_gradient_are_those_of_the_cpu(device, audio, window):
    from catok.modules.stft import stft

    found = []
    for place in (torch.device("cpu"), device):
        x = audio[:, 0, :9600].detach().to(place).requires_grad_()
        parts = stft(x, window)
        (gradient,) = torch.autograd.grad(parts.square().sum(), x)
        found.append((parts.detach().cpu(), gradient.cpu()))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-2)
