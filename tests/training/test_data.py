"""Training batches: every item once an epoch, drawn from its own seed, on any number of workers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avpipe.augment import Augmentation, Gain, MixUp, SpecAugment, Tempo
from avpipe.corpora import Example
from avpipe.errors import RunStopped
from avpipe.features import LogMel, Preprocessor
from avpipe.media import read_clip, write_audio
from avpipe.objectives import Classification, Transcription
from avpipe.training import AVDataModule
from avpipe.training.data import Item, Loading, TrainingWindows, ValidationWindows
from avpipe.training.recordings import Reader, Recording, measure
from avpipe.training.sampling import Buckets, Companions, EpochSampler
from tests.synthetic import noise, write_text_named_wav

PREPROCESSOR = Preprocessor(0.5, 0.25, LogMel(16000, 512, 160, 40))
OBJECTIVE = Classification(["even", "odd"], [6, 5])
AUGMENTATION = Augmentation([Gain(-6.0, 6.0)], [SpecAugment(1, 8, 1, 0.2)])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    examples = []
    for index in range(11):
        path = folder / f"{index:02}.wav"
        write_audio(path, noise(0.3 + 0.1 * index, seed=index), 16000)
        examples.append(Example(path, ("even", "odd")[index % 2]))
    return measure(examples)[0]


def data_module(recordings, workers=0, seed=0, augmentation=AUGMENTATION, raw=False, weights=None):
    reader = Reader(PREPROCESSOR)
    train = TrainingWindows(recordings, reader, augmentation, OBJECTIVE, seed, raw=raw)
    return AVDataModule(train, ValidationWindows(recordings, reader, OBJECTIVE), Loading(4, workers, seed, weights))


def batches(recordings, workers, epoch=0, seed=0):
    data = data_module(recordings, workers, seed)
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, EpochSampler)
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_an_epoch_repeats_exactly_on_any_number_of_workers(recordings):
    expected = batches(recordings, 0)
    for workers in (0, 1, 2):
        for one, other in zip(expected, batches(recordings, workers), strict=True):
            assert one.examples == other.examples
            assert torch.equal(one.features["audio"], other.features["audio"])
            assert torch.equal(one.targets, other.targets)


def test_epochs_and_seeds_differ(recordings):
    first = batches(recordings, 0)[0].features["audio"]
    assert not torch.equal(first, batches(recordings, 0, epoch=1)[0].features["audio"])
    assert not torch.equal(first, batches(recordings, 0, seed=1)[0].features["audio"])


def test_the_sampler_visits_every_item_once_an_epoch():
    sampler = EpochSampler(7, seed=3)
    sampler.set_epoch(5)
    places = list(sampler)
    assert sorted(place % 7 for place in places) == list(range(7))
    assert {place // 7 for place in places} == {5}
    assert places != sorted(places)


def test_batches_have_one_shape_and_true_targets(recordings):
    for batch in batches(recordings, 0):
        assert batch.features["audio"].shape == (4, 1, 40, 51)
        assert batch.targets.tolist() == [example % 2 for example in batch.examples]
        assert batch.lengths["audio"].max() <= 51


def test_short_recordings_fill_a_window_where_one_shape_is_asked(recordings):
    short, reader = recordings[:2], Reader(PREPROCESSOR)  # of 0.3 and 0.4 s, in a window of 0.5 s
    for one_shape, frames in ((False, 48), (True, 51)):
        train = TrainingWindows(short, reader, Augmentation(), OBJECTIVE, 0)
        loading = Loading(2, 0, 0, one_shape=one_shape)
        (batch,) = AVDataModule(train, ValidationWindows([], reader, OBJECTIVE), loading).train_dataloader()
        assert batch.features["audio"].shape[-1] == frames
        assert sorted(batch.lengths["audio"].tolist()) == [31, 41]


def test_validation_has_every_window_with_its_true_seconds(recordings):
    data = data_module(recordings)
    seconds: dict[int, list[float]] = {}
    for batch in data.val_dataloader():
        for example, length in zip(batch.examples, batch.seconds, strict=True):
            seconds.setdefault(example, []).append(length)
    assert seconds[0] == pytest.approx([0.3])
    assert seconds[10] == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.3])


def test_a_file_that_cannot_be_read_is_told_and_left_out(tmp_path, recordings):
    broken = Example(write_text_named_wav(tmp_path / "text.wav"), "odd")
    readable, lines = measure([recordings[0].example, broken])
    assert readable == [recordings[0]]
    assert "text.wav" in lines[0]


def test_a_file_that_vanishes_is_warned_of_and_its_batch_goes_on(tmp_path):
    examples = []
    for index in range(4):
        write_audio(tmp_path / f"{index}.wav", noise(0.5, seed=index), 16000)
        examples.append(Example(tmp_path / f"{index}.wav", "odd"))
    found, _ = measure(examples)
    (tmp_path / "2.wav").unlink()
    with pytest.warns(UserWarning, match=r"2\.wav"):
        (batch,) = batches(found, 0)
    assert sorted(batch.examples) == [0, 1, 3]
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.warns(UserWarning, match="left out"), pytest.raises(RunStopped, match="none of its files"):
        batches(found, 0)


def test_a_stretch_of_a_file_is_read_from_its_own_start(tmp_path):
    waveform = np.concatenate([np.zeros((1, 16000), np.float32), noise(1.0)], axis=1)
    write_audio(tmp_path / "x.wav", waveform, 16000)
    found, _ = measure([Example(tmp_path / "x.wav", "odd", 1.0, 1.25)])
    (batch,) = batches(found, 0)
    assert batch.lengths["audio"].tolist() == [26]
    assert batch.features["audio"][0, :, :, 5:20].mean() > -15.0


def test_features_made_beside_the_network_are_those_made_by_the_workers(recordings):
    data = data_module(recordings, workers=2, raw=True)
    loader = data.train_dataloader()
    for raw, expected in zip(loader, batches(recordings, 0), strict=True):
        batch = data.on_after_batch_transfer(raw.to(torch.device("cpu")), 0)
        assert batch.examples == expected.examples
        assert torch.equal(batch.targets, expected.targets)
        torch.testing.assert_close(batch.features["audio"], expected.features["audio"])


def test_mixed_batches_repeat_and_carry_their_partners(recordings):
    mixing = Augmentation(batch=[MixUp(probability=1.0, alpha=0.4)])
    one, other = (list(data_module(recordings, workers, augmentation=mixing).train_dataloader()) for workers in (0, 2))
    plain = list(data_module(recordings, augmentation=Augmentation()).train_dataloader())
    for first, second, unmixed in zip(one, other, plain, strict=True):
        assert torch.equal(first.features["audio"], second.features["audio"])
        assert torch.equal(first.partner_weight, second.partner_weight)
        assert torch.equal(first.targets, unmixed.targets)
        assert sorted(first.partner_targets.tolist()) == sorted(unmixed.targets.tolist())
        assert not torch.equal(first.features["audio"], unmixed.features["audio"])


def test_weighted_items_come_as_often_as_they_weigh():
    sampler = EpochSampler(4, 0, [1.0, 1.0, 4.0, 2.0])
    counts = np.zeros(4)
    for epoch in range(500):
        sampler.set_epoch(epoch)
        places = np.array(list(sampler))
        assert (places // 4 == epoch).all()
        counts += np.bincount(places % 4, minlength=4)
    assert counts / counts.sum() == pytest.approx([0.125, 0.125, 0.5, 0.25], abs=0.03)


def test_passes_draw_each_recording_several_times_an_epoch_and_never_alike():
    sampler = EpochSampler(5, seed=0, passes=3)
    places = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        drawn = list(sampler)
        assert len(drawn) == len(sampler) == 15
        assert sorted(place % 5 for place in drawn) == sorted(list(range(5)) * 3)
        places += drawn
    assert sorted(places) == list(range(30))


def test_one_pass_is_what_an_epoch_was():
    def order(**settings):
        sampler = EpochSampler(7, seed=3, **settings)
        sampler.set_epoch(2)
        return list(sampler)

    assert order() == order(passes=1)
    assert sorted(order()) == list(range(14, 21))


def test_batches_of_like_length_hold_every_item_once():
    lengths = np.random.default_rng(0).uniform(1.0, 9.0, 103)
    sampler = EpochSampler(103, seed=0, passes=2, order=Buckets(lengths.tolist(), batch_size=4))
    sampler.set_epoch(3)
    places = np.array(list(sampler))
    assert sorted(places.tolist()) == list(range(618, 824))
    spans = [np.ptp(lengths[places[first : first + 4] % 103]) for first in range(0, 204, 4)]
    assert np.mean(spans) < 0.8
    sampler.set_epoch(4)
    assert not np.array_equal(places - 618, np.array(list(sampler)) - 824)


def test_companions_stand_side_by_side():
    labels = [str(place % 5) for place in range(20)]
    sampler = EpochSampler(20, seed=0, passes=3, order=Companions(labels, each=4))
    sampler.set_epoch(2)
    places = np.array(list(sampler))
    assert sorted(places.tolist()) == list(range(120, 180))
    spoken = [labels[place % 20] for place in places]
    groups = [spoken[first : first + 4] for first in range(0, 60, 4)]
    assert all(len(set(group)) == 1 for group in groups)
    assert spoken != sorted(spoken)


def test_a_label_that_is_drawn_seldom_has_fewer_companions():
    order = Companions(["a", "b", "b", "b", "b", "b"], each=2)
    spoken = [order.labels[place] for place in order.ordered(np.arange(6), np.random.default_rng(1))]
    assert sorted(spoken) == ["a", "b", "b", "b", "b", "b"]


def test_a_transcribed_recording_is_learned_from_between_the_silence_that_prediction_hears(tmp_path, recordings):
    objective = Transcription(["a"])
    short = [Recording(Example(each.example.path, "a"), each.duration_sec) for each in recordings[:1]]
    item = TrainingWindows(short, Reader(PREPROCESSOR), Augmentation(), objective, 0)[0]
    assert isinstance(item, Item)
    clip = read_clip(short[0].example.path, sample_rate=16000, mono=True)
    edge = np.zeros((1, round(objective.edge_silence_sec * 16000)), np.float32)
    heard = PREPROCESSOR(replace(clip, waveform=np.concatenate([edge, clip.waveform, edge], axis=1)))
    assert torch.equal(item.features["audio"], heard["audio"])


def test_transcripts_of_any_length_stand_in_one_batch(tmp_path):
    examples = []
    for index, text in enumerate(("a", "", "ab ba")):
        path = tmp_path / f"{index}.wav"
        write_audio(path, noise(0.3 + 0.1 * index, seed=index), 16000)
        examples.append(Example(path, text))
    recordings = measure(examples)[0]
    objective = Transcription([" ", "a", "b"])
    reader = Reader(PREPROCESSOR)
    slower = Augmentation(features=[Tempo(0.6, 0.61)])
    train = TrainingWindows(recordings, reader, slower, objective, 0)
    loading = Loading(3, 0, 0, order=Buckets([each.duration_sec for each in recordings], 3))
    data = AVDataModule(train, ValidationWindows([], reader, objective), loading)
    (batch,) = data.train_dataloader()
    rows = dict(zip(batch.examples, batch.targets.tolist(), strict=True))
    assert rows == {0: [2, -1, -1, -1, -1], 1: [-1] * 5, 2: [2, 3, 1, 3, 2]}
    # Drawn out, the longest is longer than a window of 51 frames: nothing of it is cut off.
    assert batch.lengths["audio"].max() > 80
