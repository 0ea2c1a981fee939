"""The peers' virtual environment, and the machine they run on."""

import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

PINS = ["jax==0.10.2", "jaxlib==0.10.2", "numpy==2.4.6"]
TORCH_PIN = "torch==2.15.0"
# Load average from which the machine is called busy.
BUSY = 0.5


def log(text):
    print(text, file=sys.stderr, flush=True)


def prepare_venv(folder, with_torch):
    """Return the environment's python, with the pinned packages installed."""
    python = folder.absolute() / "bin" / "python"
    if not python.exists():
        log(f"making {folder}")
        venv.create(folder, with_pip=True)
    pins = PINS + [TORCH_PIN] * with_torch
    wanted = dict(pin.split("==") for pin in pins)
    # A CPU wheel calls itself 2.15.0+cpu: it satisfies the pin.
    missing = {
        name for name, version in wanted.items()
        if (installed(python, name) or "").split("+")[0] != version
    }  # fmt: skip
    if missing:
        log(f"installing {' '.join(pins)}")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *pins], check=True)
    return python


def installed(python, package):
    """Version of a package as this python sees it, or None."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() or None


def find_torch(*pythons):
    for python in pythons:
        done = subprocess.run([python, "-c", "import torch"], capture_output=True)
        if done.returncode == 0:
            return python
    return None


def machine(jax_python, torch_python):
    """The machine, the versions compared and the load before anything is measured."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    versions = {"python": platform.python_version()}
    versions |= {name: installed(jax_python, name) for name in ("jax", "jaxlib", "numpy")}
    versions["torch"] = installed(torch_python, "torch") if torch_python else None
    load = os.getloadavg()[0]
    if load > BUSY:
        log(f"load average {load:.1f}: if other work is running, do not trust these times")
    cores = len(os.sched_getaffinity(0))
    return {"cpu": cpu, "cores": cores, "load": load, "versions": versions}
