"""What is said of a GPU before anything is built for it: one line, whatever is missing."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

CARD = "NVIDIA H100, 580.65, 9.0"


@pytest.fixture
def machine(tmp_path):
    """A machine that has what it is given."""

    def look(*options, smi=None, most="13.0", nvcc=None, architectures="compute_90", headers=False, libraries=()):
        def program(name, text):
            path = tmp_path / "bin" / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)

        (tmp_path / "bin").mkdir()
        if smi is not None:
            program("nvidia-smi", f'case "$1" in --query*) {smi};; *) echo "| CUDA Version: {most} |";; esac')
        if nvcc is not None:
            program("nvcc", f'case "$1" in --list*) echo {architectures};; *) echo "release {nvcc}, V{nvcc}";; esac')
        (tmp_path / "include").mkdir()
        if headers:
            (tmp_path / "include" / "cuda.h").touch()
        (tmp_path / "lib").mkdir()
        for name in libraries:
            command = ["cc", "-shared", "-x", "c", "/dev/null", "-o", tmp_path / "lib" / name]
            subprocess.run(command, check=True)
        environment = {
            "PATH": str(tmp_path / "bin"),
            "CUDA_PATH": str(tmp_path),
            "LD_LIBRARY_PATH": f"{tmp_path / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}",
        }
        command = [sys.executable, ROOT / "tools" / "cuda_here.py", *options]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        said = result.stdout + result.stderr
        assert said.startswith("cuda: ") and said.count("\n") == 1, said
        return result.returncode, said.strip()

    return look


LIBRARIES = ("libcuda.so.1", "libcublas.so", "libcublasLt.so", "libnvrtc.so")
WHOLE = {"smi": f"echo {CARD}", "nvcc": "13.0", "headers": True, "libraries": LIBRARIES}


def test_a_machine_with_all_of_it_is_named(machine):
    assert machine(**WHOLE) == (0, "cuda: NVIDIA H100, compute capability 9.0, driver 580.65, CUDA 13.0")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"smi": None}, "the NVIDIA driver is missing: nvidia-smi is not on the PATH"),
        ({"smi": "echo no contact with the driver; exit 9"}, "nvidia-smi fails: no contact with the driver"),
        ({"smi": "echo No devices were found"}, "there is no GPU: nvidia-smi says 'No devices were found'"),
        ({"nvcc": None}, "the CUDA toolkit is missing: nvcc is not on the PATH"),
        ({"most": "12.4"}, "the driver 580.65 runs code of CUDA 12.4 at most, and nvcc is of 13.0: update"),
        ({"nvcc": "9.2"}, None),
        ({"architectures": "compute_75 compute_80"}, "makes no code for the NVIDIA H100 (compute capability 9.0)"),
        ({"libraries": LIBRARIES[:2]}, "the library cublasLt cannot be loaded"),
        ({"libraries": ()}, "the library cuda cannot be loaded"),
    ],
)
def test_what_is_missing_is_named(machine, change, says):
    code, said = machine(**WHOLE | change)
    assert (code, says is None or says in said) == (int(says is not None), True), said


def test_missing_headers_are_named(machine):
    if os.path.exists("/usr/include/cuda.h") or os.path.exists("/usr/local/cuda/include/cuda.h"):
        pytest.skip("this machine has a toolkit")
    code, said = machine(**WHOLE | {"headers": False})
    assert code == 1 and "set CUDA_PATH to the folder of the CUDA toolkit" in said


def test_the_cpu_takes_the_place_where_that_is_wanted(machine):
    code, said = machine("--or-cpu", **WHOLE | {"smi": None})
    assert code == 1 and said.endswith("nvidia-smi is not on the PATH; on the CPU instead")
