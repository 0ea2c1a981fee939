"""A real kernel, driven as a front end drives it."""

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from layout import FIRST_CELL, KERNEL, KERNEL_NAME

SPECS = KERNEL / "share" / "jupyter" / "kernels"


@dataclass
class Reply:
    """What a cell gave."""

    status: str
    seconds: float
    stdout: str = ""
    stderr: str = ""
    data: dict = field(default_factory=dict)
    errors: list = field(default_factory=list)
    messages: list = field(default_factory=list)
    """All broadcasts in order, as (type, content)."""
    content: dict = field(default_factory=dict)
    """Of the reply itself."""


class Kernel:
    """A running kernel; `run` is Shift-Enter."""

    def __init__(self, name=KERNEL_NAME, specs=SPECS, address=None, cwd=ROOT / "notebooks", **environment):
        specs = KernelSpecManager(kernel_dirs=[str(specs)])
        self.manager = KernelManager(kernel_name=name, kernel_spec_manager=specs, **(address or {}))
        started = time.monotonic()
        self.manager.start_kernel(cwd=str(cwd), env=os.environ | environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.start_seconds = time.monotonic() - started

    def send(self, code: str) -> str:
        self.sent = time.monotonic()
        return self.client.execute(code)

    def finish(self, request: str, timeout: float = 180) -> Reply:
        """Collects a cell's output until the kernel is idle and has replied."""
        reply = Reply(status="", seconds=0)
        end = self.sent + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            reply.messages.append((message["msg_type"], content))
            match message["msg_type"]:
                case "stream" if content["name"] == "stdout":
                    reply.stdout += content["text"]
                case "stream":
                    reply.stderr += content["text"]
                case "execute_result" | "display_data":
                    reply.data |= content["data"]
                case "error":
                    reply.errors.append(content["evalue"])
                case "status" if content["execution_state"] == "idle":
                    break
        while True:
            message = self.client.get_shell_msg(timeout=max(0.1, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == request:
                reply.content = message["content"]
                reply.status = reply.content["status"]
                reply.seconds = time.monotonic() - self.sent
                return reply

    def run(self, code: str, timeout: float = 180) -> Reply:
        return self.finish(self.send(code), timeout)

    def begin(self) -> Reply:
        """A notebook's first cell."""
        reply = self.run(FIRST_CELL)
        assert reply.status == "ok", reply
        return reply

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel():
    """One kernel for a module's tests, its first cell run."""
    kernel = Kernel()
    kernel.begin()
    yield kernel
    kernel.close()


@pytest.fixture
def fresh_kernel():
    """Starts kernels that end with the test."""
    kernels = []

    def start(**options) -> Kernel:
        kernels.append(Kernel(**options))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()
