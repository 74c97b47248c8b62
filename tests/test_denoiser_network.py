"""The denoising network: an exact transform, causal layers, a state that makes blocks add up to the whole."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.networks import DenoisingNetwork, Stft
from avpipe.networks.denoiser import DilatedBlock, band_weights, complex_product
from avpipe.windowing import NUM_BINS
from tests.tiny import tiny_denoiser

NETWORK = tiny_denoiser()


def speech_of(waveform):
    with torch.inference_mode():
        return NETWORK({"waveform": waveform[:, None]}, {"waveform": torch.tensor([waveform.shape[1]])}).value


@pytest.mark.parametrize("window_length", [2, 4, 176, 512, 706, 1536])
def test_what_is_analysed_with_all_bins_is_the_waveform_again(window_length):
    stft = Stft(window_length, window_length // 2 + 1)
    waveform = torch.randn(2, 9 * stft.hop_length)
    again = stft.inverse(stft(waveform))
    inner = slice(stft.hop_length, -stft.hop_length)
    assert again.shape == waveform.shape
    assert torch.allclose(again[:, inner], waveform[:, inner], atol=1e-5)


def test_the_transform_is_the_known_one():
    stft = Stft(512, NUM_BINS)
    waveform = torch.randn(1, 5 * 256)
    window = torch.hann_window(512).sqrt()
    known = torch.stft(waveform, 512, 256, window=window, center=False, return_complex=True).transpose(1, 2) / 256
    real, imaginary = stft(waveform).unbind(1)
    assert torch.allclose(real, known.real, atol=1e-6)
    assert torch.allclose(imaginary, known.imag, atol=1e-6)


def test_bins_beyond_half_the_rate_are_silent_and_of_no_effect():
    narrow, wide = Stft(256, NUM_BINS), Stft(256, 129)
    waveform = torch.randn(1, 1024)
    assert not narrow(waveform)[..., 129:].any()
    assert torch.equal(narrow.inverse(narrow(waveform)), wide.inverse(wide(waveform)))


def test_the_transform_keeps_its_precision_where_others_give_it_up():
    stft, waveform = Stft(512, NUM_BINS), torch.randn(1, 2048)
    with torch.autocast("cpu", torch.bfloat16):
        spectrum = stft(waveform)
        again = stft.inverse(spectrum.bfloat16().float())
    assert torch.equal(spectrum, stft(waveform))
    assert torch.equal(again, stft.inverse(spectrum.bfloat16().float()))


@pytest.mark.parametrize("frames", [1, 7, 16, 21])
@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_a_dilated_block_hears_the_same_in_training(dilation, frames):
    block = DilatedBlock(3, 6, dilation)
    block.norm.eval()
    maps, past = torch.randn(2, 3, frames, 8), torch.randn(2, 3, 4 * dilation, 8)
    gradients = []
    for training in (True, False):
        block.training = training
        block.zero_grad()
        said, handed_on = block(maps.contiguous(memory_format=torch.channels_last), past)
        (said.square().sum() + handed_on.sum()).backward()
        gradients.append((said.detach(), block.depthwise.weight.grad.clone(), block.widen.weight.grad.clone()))
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_an_odd_window_is_refused():
    with pytest.raises(ValueError, match="even"):
        Stft(511, NUM_BINS)


def test_bands_share_every_bin_out_whole():
    weights = band_weights(64, 32)
    assert torch.allclose(weights.sum(0), torch.ones(NUM_BINS))
    assert (weights.sum(1) > 0).all()


def test_a_product_of_pairs_is_that_of_complex_numbers():
    first, second = torch.randn(2, 3, 2, 5).unbind(0)
    product = torch.view_as_complex(first.mT.contiguous()) * torch.view_as_complex(second.mT.contiguous())
    assert torch.allclose(complex_product(first, second), torch.view_as_real(product).mT)


def test_the_shipped_size_is_small():
    assert sum(parameter.numel() for parameter in DenoisingNetwork().parameters()) < 300_000


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_frames_block_by_block_give_the_mask_of_the_whole(data):
    frames = data.draw(st.integers(1, 40))
    cuts = sorted({0, frames, *data.draw(st.lists(st.integers(0, frames), max_size=5))})
    spectrum = 0.1 * torch.randn(2, 2, frames, NUM_BINS)
    with torch.inference_mode():
        whole, _ = NETWORK.estimate(spectrum, NETWORK.initial_state(2))
        state, parts = NETWORK.initial_state(2), []
        for first, end in itertools.pairwise(cuts):
            mask, state = NETWORK.estimate(spectrum[:, :, first:end], state)
            parts.append(mask)
    assert torch.allclose(torch.cat(parts, 2), whole, atol=1e-5)


def test_nothing_looks_further_ahead_than_32_ms():
    waveform = 0.1 * torch.randn(1, 16_000)
    changed = waveform.clone()
    changed[:, 9_000:] = torch.randn(7_000)
    same = (speech_of(waveform) - speech_of(changed))[0].abs() < 1e-6
    assert same[: 9_000 - 512].all()
    assert not same[9_000:].all()


@pytest.mark.parametrize("gain", [1e-3, 0.1, 30.0])
def test_the_level_does_not_matter(gain):
    waveform = 0.1 * torch.randn(1, 16_000)
    assert torch.allclose(speech_of(gain * waveform) / gain, speech_of(waveform), atol=1e-4)


def test_silence_stays_silence():
    assert not speech_of(torch.zeros(1, 5_000)).any()


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 5_001])
def test_as_many_samples_come_out_as_go_in(samples):
    assert speech_of(torch.randn(3, samples)[:1]).shape == (1, samples)


def test_a_step_gives_finite_gradients_to_every_parameter():
    network = tiny_denoiser().train().requires_grad_(True)
    network(
        {"waveform": 0.1 * torch.randn(2, 2, 4_000)}, {"waveform": torch.tensor([4_000, 4_000])}
    ).value.std().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_bands_that_cannot_be_halved_twice_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        DenoisingNetwork(narrow_bands=63)


def test_the_state_is_of_a_fixed_size():
    state = NETWORK.initial_state(1)
    with torch.inference_mode():
        _, after = NETWORK.estimate(torch.randn(1, 2, 300, NUM_BINS), state)
    assert [tuple(each.shape) for each in after] == [tuple(each.shape) for each in state]
    assert np.isfinite(sum(float(each.sum()) for each in after))
