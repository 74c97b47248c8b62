"""Features against librosa, and their shapes."""

import math

import librosa
import numpy as np
import pytest
import torch

from avpipe.features import FrameStack, LogMel, Preprocessor, collate
from avpipe.windowing import Crops
from tests.synthetic import noise, tone


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "hop_length", "n_mels", "f_min", "f_max"),
    [(16000, 512, 160, 64, 0.0, None), (8000, 256, 80, 40, 0.0, None), (48000, 2048, 480, 128, 20.0, 16000.0)],
)
def test_log_mel_agrees_with_librosa(sample_rate, n_fft, hop_length, n_mels, f_min, f_max):
    time = np.arange(sample_rate) / sample_rate
    noise = np.random.default_rng(0).standard_normal(sample_rate)
    waveform = (0.4 * np.sin(2 * np.pi * 1000 * time) + 0.05 * noise).astype(np.float32)
    expected = librosa.feature.melspectrogram(
        y=waveform, sr=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, fmin=f_min, fmax=f_max,
        power=2.0, pad_mode="constant",
    )  # fmt: skip
    mel = LogMel(sample_rate, n_fft, hop_length, n_mels, f_min, f_max)(torch.from_numpy(waveform)[None])
    assert mel.shape == (1, n_mels, 1 + sample_rate // hop_length)
    np.testing.assert_allclose(mel[0].numpy(), np.log(np.maximum(expected, 1e-10)), atol=1e-4)


def test_a_tone_lands_in_its_mel_band():
    mel = LogMel(16000, 512, 160, 64)
    centres = librosa.mel_frequencies(66, fmin=0.0, fmax=8000.0)[1:-1]
    for frequency_hz in (200.0, 1000.0, 5000.0):
        tone = torch.sin(2 * torch.pi * frequency_hz * torch.arange(16000) / 16000)[None]
        loudest = int(mel(tone)[0].mean(1).argmax())
        assert abs(centres[loudest] - frequency_hz) <= np.diff(centres)[max(loudest - 1, 0)]


def test_mean_and_std_shift_and_scale():
    waveform = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    plain, scaled = LogMel(8000, 256, 80, 40), LogMel(8000, 256, 80, 40, mean=-7.0, std=4.0)
    torch.testing.assert_close(scaled(waveform), (plain(waveform) + 7.0) / 4.0)


def test_a_clips_own_mean_can_be_subtracted():
    waveform = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    relative = LogMel(8000, 256, 80, 40, std=2.0, subtract_clip_mean=True)
    plain = LogMel(8000, 256, 80, 40)(waveform)
    torch.testing.assert_close(relative(waveform), (plain - plain.mean(2, keepdim=True)) / 2.0)
    torch.testing.assert_close(relative(0.1 * waveform), relative(waveform), atol=1e-4, rtol=0.0)


def test_silence_is_the_floor():
    assert LogMel(8000, 256, 80, 40)(torch.zeros(1, 800)).unique().tolist() == pytest.approx([np.log(1e-10)])


@pytest.mark.parametrize("duration_sec", [0.0001, 0.013, 0.5, 1.0])
def test_num_steps_is_the_length_of_the_features(duration_sec):
    mel = LogMel(8000, 256, 80, 40)
    samples = round(duration_sec * 8000)
    assert mel(torch.zeros(1, samples)).shape[2] == mel.num_steps(duration_sec)


def test_frame_stack_takes_the_middle_square_and_standardises():
    frames = torch.zeros(3, 6, 8, 3, dtype=torch.uint8)
    frames[:, 1:5, 2:6] = torch.tensor([255, 0, 51], dtype=torch.uint8)
    features = FrameStack(6, 4, 0.1, mean=(0.5, 0.5, 0.2), std=(0.5, 0.25, 0.1))(frames)
    assert features.shape == (3, 3, 4, 4)
    torch.testing.assert_close(features[:, 0, 0, 0], torch.tensor([1.0, -2.0, 0.0]), atol=1e-6, rtol=0.0)
    assert (features == features[:, :1, :1, :1]).all()


@pytest.mark.parametrize(("shape", "tops", "lefts"), [((6, 10), [1, 1, 1], [0, 3, 6]), ((10, 7), [0, 3, 6], [1, 1, 1])])
def test_three_crops_lie_along_the_longer_side(shape, tops, lefts):
    frames = torch.arange(math.prod(shape), dtype=torch.uint8).view(1, *shape, 1).expand(2, -1, -1, 3)
    stack = FrameStack(6, 4, 0.1, mean=(0.0,) * 3, std=(1.0 / 255.0,) * 3, crops=3)
    views = [stack(crop) for crop in Crops(4, 3).views(frames)]
    corners = [int(view[0, 0, 0, 0].round()) for view in views]
    assert corners == [top * shape[1] + left for top, left in zip(tops, lefts, strict=True)]
    assert {view.shape for view in views} == {(3, 2, 4, 4)}
    assert torch.equal(views[1], stack(frames))
    with pytest.raises(ValueError, match="crops=2 is none of: 1, 3"):
        FrameStack(6, 4, 0.1, crops=2)


def test_frame_stack_refuses_a_crop_larger_than_the_picture():
    with pytest.raises(ValueError, match="crop_px=8"):
        FrameStack(6, 8, 0.1)


def test_preprocessor_plans_what_its_parts_need():
    both = Preprocessor(2.0, 1.0, LogMel(16000, 512, 160, 64), FrameStack(128, 112, 0.125))
    assert both.senses == ("audio", "video")
    assert both.window_steps == {"audio": 201, "video": 16}
    assert both.clip_format.audio
    assert both.clip_format.video
    assert (both.clip_format.sample_rate, both.clip_format.size_px, both.clip_format.stride_sec) == (16000, 128, 0.125)
    only_video = Preprocessor(2.0, 1.0, video=FrameStack(128, 112, 0.125))
    assert not only_video.clip_format.audio


@pytest.mark.parametrize("arguments", [{"window_sec": 1.0, "hop_sec": 1.0}, {"window_sec": 1.0, "hop_sec": 2.0}])
def test_preprocessor_refuses_what_makes_no_sense(arguments):
    audio = LogMel(8000, 256, 80, 40) if arguments["hop_sec"] == 2.0 else None
    with pytest.raises(ValueError, match=r"audio, video|hop_sec"):
        Preprocessor(**arguments, audio=audio)


def test_collate_pads_with_zeros_and_tells_lengths():
    items = [{"audio": torch.ones(1, 4, 3)}, {"audio": torch.ones(1, 4, 9)}, {}]
    batch, lengths = collate(items, {"audio": 5, "video": 2})
    assert batch["audio"].shape == (3, 1, 4, 5)
    assert lengths["audio"].tolist() == [3, 5, 0]
    assert batch["audio"].sum((1, 2, 3)).tolist() == [12.0, 20.0, 0.0]
    assert "video" not in batch


def test_silence_at_the_ends_is_trimmed_and_pauses_within_are_not():
    silence, loud = np.zeros((1, 8000), np.float32), tone(0.5, 700.0)
    waveform = np.concatenate([silence, loud, silence, loud, silence], axis=1)
    trimmed = LogMel(16000, 512, 160, 40, trim_db=30.0)(torch.from_numpy(waveform))
    whole = LogMel(16000, 512, 160, 40)(torch.from_numpy(waveform))
    assert trimmed.shape[2] == pytest.approx(150 + 2 * 10, abs=4)  # 1.5 s, and 0.1 s at either end
    start = 50 - 10 - 1
    places = whole.unfold(2, trimmed.shape[2], 1)[0, :, start - 3 : start + 4]
    difference = (places - trimmed[0, :, None]).abs()
    assert difference.amax((0, 2)).min() == 0.0


def test_the_mean_of_a_trimmed_clip_is_that_of_what_is_left():
    waveform = np.pad(noise(1.0), ((0, 0), (16000, 4000)))
    features = LogMel(16000, 512, 160, 40, subtract_clip_mean=True, trim_db=30.0)(torch.from_numpy(waveform))
    assert features.mean(2).abs().max() < 1e-4


@pytest.mark.parametrize("waveform", [np.zeros((1, 4000), np.float32), np.zeros((1, 1), np.float32)])
def test_what_is_silent_throughout_stays(waveform):
    features = LogMel(16000, 512, 160, 40, trim_db=30.0)(torch.from_numpy(waveform))
    assert features.shape[2] == 1 + waveform.shape[1] // 160


def test_trimming_needs_a_distance():
    with pytest.raises(ValueError, match="trim_db"):
        LogMel(16000, 512, 160, 40, trim_db=0.0)
