"""Files that are named by URLs are fetched, answered as files here are, and asked for again only when they change."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest

from avpipe.errors import ArgumentError
from avpipe.inference.inputs import find_inputs
from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, one_line
from tests.report.reading import rows_of
from tests.synthetic import noise, tone, write_text_named_wav
from tests.tiny import save_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tones")


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "media"
    folder.mkdir()
    for index in range(3):
        write_audio(folder / f"{index}.wav", noise(1.0, seed=index) + tone(1.0, 300.0 + 200 * index), 16000)
    write_text_named_wav(folder / "text.wav")
    (folder / "notes.txt").write_text("no media")
    return folder


ASKED: list[str] = []
"""What the server was asked for."""


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *told):
        pass

    def do_GET(self):
        ASKED.append(self.path)
        super().do_GET()


@pytest.fixture
def server(media):
    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(media)))
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def memory(media):
    system = fsspec.filesystem("memory")
    system.store.clear()
    for path in media.iterdir():
        system.pipe(f"/archive/deep/{path.name}", path.read_bytes())
    yield system
    system.store.clear()


def predict(bundle, given, output, *arguments, workers=0):
    return avpipe("predict", f"bundle={bundle}", f"input={given}", f"output={output}", "device=cpu",
                  f"workers={workers}", *arguments)  # fmt: skip


def records(output):
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["path"]: record for record in map(json.loads, lines)}


def answered_here(bundle, media, output):
    predict(bundle, media, output)
    return records(output)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_folder_in_memory_is_answered_as_one_on_the_disk(bundle, media, memory, tmp_path, workers):
    status, _, told = predict(bundle, "memory://archive", tmp_path / "out", workers=workers)
    assert status == 1, told
    here, there = answered_here(bundle, media, tmp_path / "here"), records(tmp_path / "out")
    assert set(there) == {f"memory:///archive/deep/{name}" for name in here}
    for name, record in here.items():
        other = there[f"memory:///archive/deep/{name}"]
        assert {**other, "path": name, "reason": ""} == {**record, "reason": ""}
    assert there["memory:///archive/deep/text.wav"]["reason"].startswith(
        "memory:///archive/deep/text.wav: is not media"
    )
    assert {shown["link"] for _, shown in rows_of(tmp_path / "out" / "report.html")} == {""}


def test_only_what_has_changed_is_fetched_again(bundle, media, server, tmp_path):
    place = f"http://127.0.0.1:{server.server_port}"
    listing = tmp_path / "list.txt"
    listing.write_text(f"{place}/0.wav\n{place}/1.wav\n{media / '2.wav'}\n{place}/gone.wav\n")
    output = tmp_path / "out"
    status, said, told = predict(bundle, listing, output)
    assert status == 1, told
    found = records(output)
    assert [record["status"] for record in found.values()] == ["ok", "ok", "ok", "error"]
    assert found[f"{place}/gone.wav"]["reason"].startswith(f"{place}/gone.wav: cannot be fetched (")
    (row,) = [shown for found, shown in rows_of(output / "report.html") if found[0] == f"{place}/0.wav"]
    assert row["link"] == f"{place}/0.wav"
    ASKED.clear()
    write_audio(media / "1.wav", noise(2.0, seed=5), 16000)
    _, said, _ = predict(bundle, listing, output)
    assert set(ASKED) == {"/1.wav", "/gone.wav"}
    assert "(2 answered before)" in said
    assert records(output)[f"{place}/1.wav"]["coverage"]["asked_sec"] == 2.0


def test_what_is_too_large_is_an_error(bundle, memory, tmp_path):
    status, _, _ = predict(bundle, "memory://archive/deep/0.wav", tmp_path / "out", "max_fetch_mb=0.01")
    assert status == 1
    (record,) = records(tmp_path / "out").values()
    assert "has more than 0.01 MB; raise max_fetch_mb" in record["reason"]


@pytest.mark.parametrize("given", ["memory://nothing/here", "nosuch://x/y", "http://127.0.0.1:9/folder/"])
def test_nothing_there_is_one_line(bundle, tmp_path, given):
    status, _, told = predict(bundle, given, tmp_path / "out")
    assert status == 2
    assert given.rstrip("/") in one_line(told)


def test_a_password_is_not_told():
    (job,) = find_inputs("https://me:secret@example.org/a.wav?key=1")
    assert job.name == "https://example.org/a.wav?key=1"
    with pytest.raises(ArgumentError) as caught:
        find_inputs("nosuch://me:secret@example.org/folder")
    assert "secret" not in str(caught.value)


def test_plans_are_of_files_here(bundle, memory, tmp_path):
    status, _, told = predict(bundle, "memory://archive", tmp_path / "out", "plan=true")
    assert status == 2
    assert "plan=true" in one_line(told)
