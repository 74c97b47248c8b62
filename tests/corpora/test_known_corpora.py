"""Each known corpus on a tiny tree of its layout, upstream layouts among them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from avpipe.corpora import (
    ActedEmotion,
    CommonVoice,
    Corpus,
    CorpusError,
    DigitStrings,
    Esc,
    Example,
    Fights,
    Fsdd,
    Hmdb51,
    Kinetics,
    LibriSpeech,
    Nemo,
    Ravdess,
    SpeechCommands,
    Ucf101,
    YesNo,
    make_folds,
    make_split,
    scored_split,
)
from avpipe.errors import ArgumentError
from tests.corpora import trees


def by_name(corpus: Corpus) -> dict[str, Example]:
    return {example.path.stem: example for example in corpus.examples()}


def sides(corpus: Corpus) -> dict[str, str]:
    official = corpus.official_split()
    assert official is not None
    return {example.path.stem: side for example, side in official.items()}


def test_ravdess_by_emotion_speaker_and_gender(tmp_path: Path) -> None:
    trees.ravdess(tmp_path)
    trees.write_recordings(
        tmp_path, ["Actor_01/03-02-01-01-01-01-01.wav", "Actor_01/notes.wav"]
    )  # song, and no RAVDESS
    name = "03-01-05-01-02-01-15"
    emotion, speaker, gender = (by_name(Ravdess(tmp_path, label)) for label in ("emotion", "speaker", "gender"))
    assert len(emotion) == 32
    assert (emotion[name].target, emotion[name].group) == ("angry", "15")
    assert (speaker[name].target, speaker[name].group) == ("15", "05-01-02")
    assert (gender[name].target, gender[name].group) == ("male", "15")
    assert set(sides(Ravdess(tmp_path)).items()) >= {(name, "val"), ("03-01-05-01-02-01-17", "test")}
    assert Ravdess(tmp_path, "speaker").official_split() is None


def test_speakers_are_on_every_side_when_they_are_the_label(tmp_path: Path) -> None:
    split = make_split(Ravdess(trees.ravdess(tmp_path), label="speaker"))
    assert split.method == "group"
    for side in (split.train, split.val, split.test):
        assert {example.target for example in side} == {"01", "02", "15", "17"}
    assert not {example.group for example in split.train} & {example.group for example in split.test}


def test_fsdd_takes(tmp_path: Path) -> None:
    corpus = Fsdd(trees.fsdd(tmp_path))
    assert by_name(corpus)["1_theo_3"].group == "theo"
    assert by_name(Fsdd(tmp_path, "speaker"))["1_theo_3"].group == "3"
    assert {int(name.split("_")[2]): side for name, side in sides(corpus).items()} == {
        **dict.fromkeys(range(5), "test"),
        **dict.fromkeys(range(5, 10), "val"),
        10: "train",
    }
    assert "do not tell how unseen ones fare" in make_split(corpus).warnings[0]
    assert make_split(Fsdd(tmp_path, "speaker")).warnings == ()


def test_fsdd_root_may_be_the_folder_of_recordings(tmp_path: Path) -> None:
    assert len(Fsdd(trees.fsdd(tmp_path) / "recordings").examples()) == 66


def test_nemo_reads_its_table_without_quoting(tmp_path: Path) -> None:
    trees.nemo(tmp_path)
    texts = {name: example.target for name, example in by_name(Nemo(tmp_path, "text")).items()}
    assert len(texts) == 24
    assert texts["EB0_anger_1"] == "ród smoka"
    assert texts["EB0_anger_2"] == "żołwica to siostra"
    assert texts["EB0_anger_3"] == "a b"
    assert by_name(Nemo(tmp_path, "gender"))["KS0_fear_3"].target == "female"
    assert by_name(Nemo(tmp_path, "speaker"))["KS0_fear_3"].group == "3"
    split = make_split(Nemo(tmp_path))
    assert {example.group for example in split.test} == {"WR0"}
    assert {example.group for example in split.val} == {"TP0"}


def test_nemo_by_sentence_and_with_other_speakers(tmp_path: Path) -> None:
    trees.nemo(tmp_path)
    few = Nemo(tmp_path, "text", sentences=[2, 3])
    assert {example.path.stem.rsplit("_")[-1] for example in few.examples()} == {"2", "3"}
    split = make_split(Nemo(tmp_path, test_speaker="TP0", val_speaker="WR0"))
    assert {example.group for example in split.test} == {"TP0"}
    assert {example.group for example in split.val} == {"WR0"}
    for sentences in ([0, 3], [3, 2], [1], [1.0, 2.0]):
        with pytest.raises(ArgumentError, match=r"corpus\.sentences=.*\[1,70\]"):
            Nemo(tmp_path, sentences=sentences)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="validates already"):
        Nemo(tmp_path, test_speaker="TP0")
    with pytest.raises(CorpusError, match=r"XY0.*corpus\.test_speaker="):
        make_split(Nemo(tmp_path, test_speaker="XY0"))


def test_of_acted_emotion_one_part_is_scored_and_the_other_trains_in_every_fold(tmp_path: Path) -> None:
    trees.ravdess(tmp_path / "ravdess", actors=(1, 2, 3, 15, 17))
    trees.nemo(tmp_path / "nemo")
    corpus = ActedEmotion(tmp_path)
    assert {example.target for example in corpus.examples()} == {"neutral", "angry"}  # nEMO's fear is none of these
    expected = {"EB0_anger_1": "train", "WR0_anger_1": "train", "03-01-05-01-02-01-17": "test"}
    assert sides(corpus).items() >= expected.items()
    for fold in make_folds(corpus, 5):
        assert {example.group for example in fold.test} <= {"01", "02", "03", "15", "17"}
        assert sum(example.group == "" for example in fold.train) == 12
    nemo = ActedEmotion(tmp_path, scored="nemo")
    assert {group for fold in make_folds(nemo, 4) for group in {each.group for each in fold.test}} == {
        "EB0",
        "KS0",
        "TP0",
        "WR0",
    }
    with pytest.raises(ArgumentError, match="choose from ravdess, nemo"):
        ActedEmotion(tmp_path, scored="both")


def test_what_has_learned_from_acted_emotion_is_not_scored_on_its_parts(tmp_path: Path) -> None:
    trees.ravdess(tmp_path / "ravdess")
    corpus = Ravdess(tmp_path / "ravdess")
    assert scored_split(corpus, {"by": "auto"}, "test", learned="ravdess").test
    with pytest.raises(CorpusError, match=r"has learned from it as a part of acted_emotion.*corpus=acted_emotion"):
        scored_split(corpus, {"by": "auto"}, "test", learned="acted_emotion")
    assert scored_split(corpus, {"by": "auto"}, "all", learned="acted_emotion").test


def test_nemo_names_a_file_that_its_table_lacks(tmp_path: Path) -> None:
    trees.write_recording(trees.nemo(tmp_path) / "samples" / "EB0_anger_4.wav")
    with pytest.raises(CorpusError, match=r"EB0_anger_4\.wav.*data\.tsv"):
        Nemo(tmp_path, "text").examples()


def test_librispeech_flat_and_nested(tmp_path: Path) -> None:
    names = ["train-clean-100/103-1240-0000.wav", "test-other/367/130732/367-130732-0001.wav", "a/533-1066-0002.wav"]
    trees.write_recordings(tmp_path, names)
    assert {(example.target, example.group) for example in LibriSpeech(tmp_path).examples()} == {
        ("103", "103-1240"),
        ("367", "367-130732"),
        ("533", "533-1066"),
    }


def test_librispeech_with_one_chapter_a_speaker_cannot_be_split_by_group(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, [f"{speaker}-1-000{number}.wav" for speaker in (3, 4) for number in range(4)])
    with pytest.raises(CorpusError, match=r"more than one group.*split\.by=random"):
        make_split(LibriSpeech(tmp_path))
    assert {example.target for example in make_split(LibriSpeech(tmp_path), by="random").test} == {"3", "4"}


def librispeech(root: Path, subsets: tuple[str, ...] = ("train-clean-100", "dev-other", "test-other")) -> Path:
    """Two speakers a subset; the first lies flat, as some subsets are packed."""
    for number, subset in enumerate(subsets):
        for speaker in (number * 10 + 1, number * 10 + 2):
            folder = root / subset / (f"{speaker}/7" if number else "")
            names = [f"{speaker}-7-000{utterance}" for utterance in range(2)]
            trees.write_recordings(folder, (f"{name}.wav" for name in names))
            lines = (f"{name} THAT'S {name[-1]} OF {speaker}\n" for name in names)
            (folder / f"{speaker}-7.trans.txt").write_text("".join(lines))
    return root


@pytest.mark.parametrize("label", ["voice", "text"])
def test_librispeech_sets_speakers_apart_by_subset(tmp_path: Path, label: str) -> None:
    corpus = LibriSpeech(librispeech(tmp_path), label)
    split = make_split(corpus)
    assert split.method == "official"
    assert [sorted({each.group for each in side}) for side in (split.train, split.val, split.test)] == [
        ["1", "2"], ["11", "12"], ["21", "22"]
    ]  # fmt: skip
    assert split.warnings == ()
    example = by_name(corpus)["21-7-0001"]
    assert example.target == {"voice": "21", "text": "THAT'S 1 OF 21"}[label]
    assert make_folds(corpus, "leave_one_group_out")[0].test[0].group == "1"
    assert not corpus.has_classes
    assert LibriSpeech(tmp_path).official_split() is None


def test_librispeech_without_test_folders_has_no_official_split(tmp_path: Path) -> None:
    corpus = LibriSpeech(librispeech(tmp_path, ("train-clean-100", "train-other-500")), "voice")
    assert corpus.official_split() is None
    split = make_split(corpus, val_fraction=0.25, test_fraction=0.25)
    assert [len({each.group for each in side}) for side in (split.train, split.val, split.test)] == [2, 1, 1]


def test_librispeech_root_may_be_one_subset(tmp_path: Path) -> None:
    librispeech(tmp_path)
    assert set(sides(LibriSpeech(tmp_path / "test-other", "text")).values()) == {"test"}
    assert set(sides(LibriSpeech(tmp_path / "dev-other", "voice")).values()) == {"val"}
    assert LibriSpeech(tmp_path / "train-clean-100", "text").official_split() is None


def test_librispeech_without_a_transcript_names_the_recording(tmp_path: Path) -> None:
    root = librispeech(tmp_path, ("train-clean-100",))
    (root / "train-clean-100" / "1-7.trans.txt").write_bytes(b"\xef\xbb\xbf1-7-0000 ONE\r\n")
    with pytest.raises(CorpusError, match=r"1-7-0001\.wav: stands not in 1-7\.trans\.txt; download the corpus anew"):
        LibriSpeech(root, "text").examples()
    trees.write_recording(root / "train-clean-100" / "1-7-0001.wav").unlink()
    assert by_name(LibriSpeech(root, "text"))["1-7-0000"].target == "ONE"
    (root / "train-clean-100" / "1-7.trans.txt").write_bytes(b"\xff")
    with pytest.raises(CorpusError, match=r"1-7\.trans\.txt: is not UTF-8 text"):
        LibriSpeech(root, "text").examples()
    (root / "train-clean-100" / "1-7.trans.txt").unlink()
    with pytest.raises(CorpusError, match=r"1-7-0000\.wav: has no transcript: there is no 1-7\.trans\.txt.*download"):
        LibriSpeech(root, "text").examples()
    assert len(LibriSpeech(root, "voice").examples()) == 3


def test_yesno(tmp_path: Path) -> None:
    names = sorted("_".join(f"{number:08b}") for number in range(60))
    corpus = YesNo(trees.write_recordings(tmp_path, (f"{name}.wav" for name in names)))
    assert by_name(corpus)["0_0_0_0_0_1_1_0"].target == "no no no no no yes yes no"
    split = make_split(corpus)
    assert [len(side) for side in (split.train, split.val, split.test)] == [32, 8, 20]
    assert [example.path.stem for example in split.test] == names[40:]


def test_esc_class_folders_and_upstream_layout_agree(tmp_path: Path) -> None:
    clips = {"dog": "1-100-A", "rain": "3-200-A", "crying_baby": "4-300-B"}
    folders = {"dog": "001 - Dog bark", "rain": "002 - Rain", "crying_baby": "004 - Baby cry"}
    trees.write_recordings(tmp_path / "first", (f"{folders[label]}/{clip}.wav" for label, clip in clips.items()))
    later = trees.write_recordings(tmp_path / "later", (f"audio/{clip}-7.wav" for clip in (*clips.values(), "5-9-A")))
    rows = [f"{clip}-7.wav,{clip[0]},7,{label},True,1,A\n" for label, clip in clips.items()]
    rows.append("5-9-A-7.wav,5,8,siren,False,1,A\n")
    (later / "meta").mkdir()
    (later / "meta" / "esc50.csv").write_text("filename,fold,target,category,esc10,src_file,take\n" + "".join(rows))
    expected = {(label, clip.rpartition("-")[0]) for label, clip in clips.items()}
    for root in (tmp_path / "first", later):
        assert {(example.target, example.group) for example in Esc(root).examples()} == expected
        assert sorted(sides(Esc(root)).values()) == ["test", "train", "val"]
    assert len(Esc(later, classes=50).examples()) == 4
    assert Esc(later, classes=50).name == "esc50"
    (later / "audio" / "5-9-A-7.wav").unlink()
    with pytest.raises(CorpusError, match=r"5-9-A-7\.wav: is listed"):
        Esc(later, classes=50).examples()


def test_speech_commands_official_lists(tmp_path: Path) -> None:
    names = [
        "yes/aa_nohash_0.wav",
        "yes/bb_nohash_0.wav",
        "no/bb_nohash_1.wav",
        "no/cc_nohash_0.wav",
        "up/aa_nohash_0.wav",
    ]
    trees.write_recordings(tmp_path, [*names, "_background_noise_/kitchen.wav"])
    (tmp_path / "validation_list.txt").write_text("yes/bb_nohash_0.wav\nno/bb_nohash_1.wav\n")
    (tmp_path / "testing_list.txt").write_bytes(b"no/cc_nohash_0.wav\r\n")
    corpus = SpeechCommands(tmp_path)
    assert {(example.target, example.group) for example in corpus.examples()} == {
        ("yes", "aa"), ("yes", "bb"), ("no", "bb"), ("no", "cc"), ("up", "aa")
    }  # fmt: skip
    official = {corpus.relative_path(example): side for example, side in corpus.official_split().items()}
    assert official == {**dict.fromkeys(names, "train"), names[1]: "val", names[2]: "val", names[3]: "test"}
    assert {example.target for example in SpeechCommands(tmp_path, words=["yes", "no"]).examples()} == {"yes", "no"}
    with pytest.raises(CorpusError, match="left: no such folder"):
        SpeechCommands(tmp_path, words=["left"]).examples()
    (tmp_path / "testing_list.txt").unlink()
    with pytest.raises(CorpusError, match=r"testing_list\.txt.*official list"):
        corpus.official_split()


def test_fights_clips_without_a_source_train_only(tmp_path: Path) -> None:
    corpus = Fights(trees.fights(tmp_path))
    assert by_name(corpus)["alone"].group == ""
    official = make_split(corpus)
    assert [len(side) for side in (official.train, official.val, official.test)] == [5, 4, 4]
    for seed in range(10):
        split = make_split(corpus, by="group", seed=seed)
        assert "alone" in {example.path.stem for example in split.train}


def test_fights_names_a_listed_file_that_is_missing(tmp_path: Path) -> None:
    (trees.fights(tmp_path) / "fight" / "val1.wav").unlink()
    with pytest.raises(CorpusError, match=r"val1\.wav: is listed in split\.csv and not there"):
        Fights(tmp_path).examples()


LABELLED: list[Callable[..., Corpus]] = [Ravdess, Nemo, Fsdd, DigitStrings, LibriSpeech, CommonVoice, YesNo]
KNOWN: list[Callable[..., Corpus]] = [*LABELLED, Esc, SpeechCommands, Fights, Ucf101, Hmdb51, Kinetics]


@pytest.mark.parametrize("build", KNOWN)
def test_a_missing_corpus_is_told_in_one_line(
    build: Callable[..., Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CorpusError, match=r"nowhere: no such folder; get .* and give corpus\.root=DIR"):
        build(tmp_path / "nowhere")
    monkeypatch.delenv("AVPIPE_CORPORA", raising=False)
    with pytest.raises(CorpusError, match=r"neither corpus\.root nor AVPIPE_CORPORA is given; get "):
        build()
    monkeypatch.setenv("AVPIPE_CORPORA", str(tmp_path))
    with pytest.raises(CorpusError, match="no such folder") as caught:
        build()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("build", KNOWN)
def test_an_empty_corpus_is_an_error(build: Callable[..., Corpus], tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        build(tmp_path).examples()


@pytest.mark.parametrize("build", LABELLED)
def test_an_unknown_label_names_the_choices(build: Callable[..., Corpus], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"corpus\.label=colour.*choose from "):
        build(tmp_path, label="colour")


def test_a_corpus_is_found_by_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.fsdd(tmp_path / "fsdd")
    monkeypatch.setenv("AVPIPE_CORPORA", str(tmp_path))
    assert Fsdd().root == tmp_path / "fsdd"
