"""What holds for every transform; what is composed of them, and the YAML that composes it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avpipe import augment
from avpipe.augment import Augmentation, CutMix, MixUp, item_generator
from avpipe.config import compose, instantiate, plain
from avpipe.features import collate
from avpipe.media import write_audio
from tests.clips import COVERAGE, clip_of, generator_of
from tests.synthetic import RATE_HZ, noise, tone


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for index in range(3):
        write_audio(folder / f"{index}.wav", noise(0.5 + index, seed=index), RATE_HZ)
    return folder


SOUND = {
    "Gain": (-10.0, 6.0),
    "RandomPlacement": (2.0, -60.0, -40.0),
    "TimeShift": (0.2,),
    "Speed": (0.9, 1.1),
    "BandLimit": ((50.0, 400.0), (1000.0, 6000.0), 0.7),
    "Noise": ("recordings", 0.0, 20.0, 0.7),
    "ColouredNoise": (0.0, 20.0, 0.7),
    "RoomResponse": (0.1, 0.8, -3.0, 10.0, 0.7),
    "RecordedRoom": ("recordings", 0.7),
    "Colouration": (6.0, 0.7),
    "Pause": (0.5, 0.7),
    "PitchShift": (0.8, 1.9, 0.7, 1.1, 0.7),
    "Overload": (1.0, 6.0, 0.7),
    "SpeechInNoise": (None, "recordings", "recordings"),
}
PICTURE = {
    "RandomCrop": (12,),
    "RandomResizedCrop": (12, 0.5),
    "HorizontalFlip": (),
    "ColourJitter": (0.3, 0.3, 0.3),
    "TemporalJitter": (0.5, 2.0, 1.0),
}
FEATURES = {
    "SpecAugment": (2, 8, 2, 0.1),
    "VocalTractWarp": (RATE_HZ, 0.9, 1.1),
    "Tempo": (0.9, 1.1),
    "Equaliser": (6.0, 3.0, 5, 4.0),
    "RandomErasing": (0.1, 0.3, 0.7),
}
MIXING = {"MixUp", "CutMix"}
HELD_ELSEWHERE = {"EditedFilm", "FrameJitter", "FrameMask", "SenseDropout"}
"""Films of their own, other numbers of frames, and senses that go: each has tests of its own beside this file."""
NO_TRANSFORM = {"Augmentation", "Mixture", "BatchTransform", "ClipTransform", "FeatureTransform"}
OLD_DRAWS = {"RandomPlacement", "SpecAugment"}
"""These draw more for a clip that has the sense, as they did before; runs of old repeat."""


def build(name, recordings):
    arguments = {**SOUND, **PICTURE, **FEATURES}[name]
    return getattr(augment, name)(*(recordings if each == "recordings" else each for each in arguments))


def whole_clip():
    frames = np.random.default_rng(2).integers(0, 256, (16, 20, 24, 3)).astype(np.uint8)
    return clip_of(noise(1.0, channels=2) + tone(1.0), frames)


def content(clip):
    return tuple(
        None if each is None else each.tobytes() for each in (clip.waveform, clip.frames, clip.frame_times_sec)
    )


def test_every_transform_is_held_to_this():
    classes = {name for name in augment.__all__ if isinstance(getattr(augment, name), type)}
    assert classes == {*SOUND, *PICTURE, *FEATURES, *MIXING, *HELD_ELSEWHERE, *NO_TRANSFORM}


@pytest.mark.parametrize("name", [*SOUND, *PICTURE])
def test_a_clip_transform_repeats_differs_and_leaves_its_input(name, recordings):
    transform, clip = build(name, recordings), whole_clip()
    before = content(clip)
    changed = [transform(clip, generator_of(index)) for index in range(8)]
    again = [build(name, recordings)(clip, generator_of(index)) for index in reversed(range(8))]
    assert [content(each) for each in changed] == [content(each) for each in reversed(again)]
    assert len({content(each) for each in changed}) > 1
    assert content(clip) == before
    for each in changed:
        assert each.waveform.dtype == np.float32
        assert each.waveform.shape[0] == 2
        assert each.waveform.flags.c_contiguous
        assert each.frames.dtype == np.uint8
        assert each.frames.flags.c_contiguous
        assert len(each.frames) == len(each.frame_times_sec) == 16
        assert (each.source, each.start_sec, each.sample_rate) == (clip.source, clip.start_sec, clip.sample_rate)
        assert each.coverage is COVERAGE
        assert each.waveform is clip.waveform if name in PICTURE else each.frames is clip.frames


@pytest.mark.parametrize("name", [*SOUND, *PICTURE])
def test_a_clip_without_the_sense_passes_and_draws_the_same(name, recordings):
    transform, clip = build(name, recordings), whole_clip()
    without = clip_of(frames=clip.frames) if name in SOUND else clip_of(clip.waveform)
    for index in range(5):
        generators = generator_of(index), generator_of(index)
        assert transform(without, generators[0]) is without
        transform(clip, generators[1])
        same = generators[0].bit_generator.state == generators[1].bit_generator.state
        assert same or name in OLD_DRAWS


@pytest.mark.parametrize("name", SOUND)
def test_silence_makes_no_nan(name, recordings):
    for samples in (1, 17, 16000):
        for index in range(4):
            silent = clip_of(np.zeros((1, samples), np.float32))
            assert np.isfinite(build(name, recordings)(silent, generator_of(index)).waveform).all()


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_transform_repeats_differs_and_leaves_its_input(name, recordings):
    features = {"audio": torch.randn(1, 40, 100), "video": torch.randn(3, 4, 24, 24)}
    before = {sense: value.clone() for sense, value in features.items()}
    first, again, other = (build(name, recordings)(features, generator_of(index)) for index in (0, 0, 1))
    assert all(torch.equal(first[sense], again[sense]) for sense in features)
    assert not all(torch.equal(first[sense], other[sense]) for sense in features)
    assert all(torch.equal(features[sense], before[sense]) for sense in features)
    assert build(name, recordings)({}, generator_of()) == {}


def test_the_number_of_threads_changes_no_bit(recordings):
    """The process of a run without workers computes on several threads, a worker on one."""
    torch.manual_seed(0)
    features = {"audio": torch.randn(1, 128, 2000), "video": torch.randn(3, 8, 112, 112)}
    film = clip_of(frames=np.random.default_rng(0).integers(0, 256, (8, 128, 160, 3)).astype(np.uint8))
    outcomes, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            changed = [build(name, recordings)(features, generator_of(1)) for name in FEATURES]
            frames = [content(build(name, recordings)(film, generator_of(1))) for name in PICTURE]
            outcomes.append(([value.numpy().tobytes() for each in changed for value in each.values()], frames))
    finally:
        torch.set_num_threads(before)
    assert outcomes[0] == outcomes[1]


def test_transforms_run_in_order():
    def double(clip, generator):
        return clip_of(clip.waveform * 2)

    def increase(clip, generator):
        return clip_of(clip.waveform + 1)

    clip = Augmentation(clip=[double, increase]).augment_clip(clip_of(np.ones((1, 1))), item_generator(0, 0, 0))
    assert clip.waveform.tolist() == [[3.0]]


def test_only_what_changes_clips_needs_them():
    assert not Augmentation().needs_clip
    assert not Augmentation(features=[augment.SpecAugment(1, 2, 1, 0.1)], batch=[MixUp(1.0)]).needs_clip
    assert Augmentation(clip=[augment.HorizontalFlip()]).needs_clip


def test_a_batch_goes_through_one_transform_at_most():
    class Named:
        def __init__(self, name, probability):
            self.name, self.probability = name, probability

        def __call__(self, features, lengths, generator):
            return self.name

    both = Augmentation(batch=[Named("a", 0.5), Named("b", 0.3)])
    drawn: list[object] = [both.augment_batch({}, {}, item_generator(0, 0, index)) for index in range(1000)]
    assert [drawn.count(name) / 1000 for name in ("a", "b", None)] == pytest.approx([0.5, 0.3, 0.2], abs=0.05)
    assert Augmentation().augment_batch({}, {}, generator_of()) is None
    with pytest.raises(ValueError, match="more than 1"):
        Augmentation(batch=[MixUp(1.0, 0.6), CutMix(1.0, 0.6)])


@pytest.mark.parametrize("name", ["none", "mel", "words", "voice", "noisy", "features", "mixup", "cutmix"])
def test_the_yaml_for_sound_builds_and_runs(name, recordings, tmp_path, monkeypatch):
    (tmp_path / "noise").symlink_to(recordings)
    monkeypatch.setenv("AVPIPE_CORPORA", str(tmp_path))
    config = plain(compose("train", ["task=emotion", f"augment={name}"]))
    augmentation, preprocessor = instantiate(config["augment"]), instantiate(config["preprocess"])
    assert augmentation.needs_clip == (name not in ("none", "features"))
    items = []
    for index in range(6):
        generator = item_generator(0, 0, index)
        clip = replace(
            clip_of(), waveform=noise(1.5) + tone(1.5), sample_rate=config["preprocess"]["audio"]["sample_rate"]
        )
        clip = augmentation.augment_clip(clip, generator)
        items.append(augmentation.augment_features(preprocessor(clip), generator))
    features, lengths = collate(items, preprocessor.window_steps)
    mixtures = [augmentation.augment_batch(features, lengths, generator_of(index)) for index in range(8)]
    assert any(mixtures) == (name in ("mixup", "cutmix", "words", "features"))
    assert bool(features["audio"].isfinite().all())


@pytest.mark.parametrize("name", ["frames", "frames_strong", "frames_lit"])
def test_the_yaml_for_pictures_builds_and_runs(name):
    config = plain(compose("train", ["task=action", f"augment={name}"]))
    augmentation, preprocessor = instantiate(config["augment"]), instantiate(config["preprocess"])
    frames = np.random.default_rng(0).integers(0, 256, (16, 128, 170, 3)).astype(np.uint8)
    clip = augmentation.augment_clip(clip_of(frames=frames), generator_of())
    features = augmentation.augment_features(preprocessor(clip), generator_of())
    assert features["video"].shape == (3, 16, 112, 112)


def test_a_root_may_be_given_in_the_command(recordings):
    config = plain(compose("train", ["augment=noisy", f"augment.clip.1.root={recordings}"]))
    noises = instantiate(config["augment"]).clip_transforms[1]
    assert len(noises.folder) == 3
