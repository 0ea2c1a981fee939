#!/usr/bin/env python3
"""Compare one training step of this library with JAX and PyTorch on the CPU.

Within a round every program takes its turn on each case, so a slow spell of the machine
hits all of them alike, and no two ever run at once. The median over rounds is shown.
The first run installs JAX in a virtual environment of its own. PyTorch is used where it
can be imported; --with-torch installs it there (several GB on Linux with the standard
wheel; PIP_EXTRA_INDEX_URL can name an index with CPU wheels).
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

from compare_env import TORCH_PIN, find_torch, log, machine, prepare_venv
from compare_table import table

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benches" / "peers"
OURS = "cargo bench --bench steps --"
# Those that the peers have: not ed_wide and ed_trained, which ask for a trained net, and what is written
# in another way here.
CASES = (
    "ed_m1,ed_m4,ed_m32,ed_m512,sm,cd,wstab,langevin128,annealing,"
    "ed_residual,sm_residual,ed_conv28,"
    "generator32_forward,generator32_input,generator32_full,lebm_mini"
)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--ours", default=OURS, help=f"our program (default: {OURS!r}); '' for none"
    )
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="per case, program and round")
    parser.add_argument("--venv", type=Path, default=ROOT / "target" / "peers")
    parser.add_argument("--with-torch", action="store_true", help=f"install {TORCH_PIN}")
    parser.add_argument("--stock-malloc", action="store_true", help="passed to the peers")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    return parser.parse_args()


def answer(line, case, threads):
    """What a `case<TAB>threads<TAB>ms` line says, or None for any other line."""
    fields = line.rstrip().split("\t")
    return fields[2] if fields[:2] == [case, str(threads)] else None


class Peer:
    """A worker that stays alive between rounds, so that each case compiles once."""

    def __init__(self, python, script, threads, opts):
        command = [python, PEERS / script, "--serve", "--threads", str(threads)]
        command += ["--seconds", str(opts.seconds)] + ["--stock-malloc"] * opts.stock_malloc
        self.script, self.threads = script, threads
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def measure(self, case):
        """The peer's time for a case; None where it does not have it."""
        self.process.stdin.write(case + "\n")
        for line in self.process.stdout:
            if (ms := answer(line, case, self.threads)) is not None:
                return None if ms == "-" else float(ms)
        sys.exit(f"{self.script} ended without a time for {case}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    def __init__(self, command, threads, seconds):
        self.command, self.threads, self.seconds = shlex.split(command), threads, seconds
        self.cores = sorted(os.sched_getaffinity(0))[:threads]

    def measure(self, case, seconds=None, pinned=True):
        """Our time for a case."""
        options = ["--threads", str(self.threads), "--cases", case]
        options += ["--seconds", str(seconds or self.seconds)]
        pin = (lambda: os.sched_setaffinity(0, self.cores)) if pinned else None
        done = subprocess.run(
            self.command + options, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=pin
        )
        if done.returncode != 0:
            sys.exit(f"{shlex.join(self.command + options)} failed")
        times = (answer(line, case, self.threads) for line in done.stdout.splitlines())
        return next((float(ms) for ms in times if ms is not None), None)

    def close(self):
        pass


def compare(programs, cases, threads, rounds):
    """Rows of {case, threads, ms: {program: median}, rounds: {program: [ms]}}."""
    times = {case: {name: [] for name in programs} for case in cases}
    for number in range(rounds):
        for case in cases:
            for name, program in programs.items():
                ms = program.measure(case)
                if ms is not None:
                    times[case][name].append(ms)
            log(f"threads {threads}, round {number + 1}/{rounds}: {case}")
    return [
        {
            "case": case,
            "threads": threads,
            "ms": {name: statistics.median(ms) for name, ms in times[case].items() if ms},
            "rounds": times[case],
        }
        for case in cases
    ]


def main():
    opts = parse_args()
    cases = opts.cases.split(",")
    jax_python = prepare_venv(opts.venv, opts.with_torch)
    torch_python = find_torch(jax_python, sys.executable)
    where = machine(jax_python, torch_python)
    rows = []
    for threads in map(int, opts.threads.split(",")):
        programs = {}
        if opts.ours:
            programs["ours"] = Ours(opts.ours, threads, opts.seconds)
            # Builds it, on all cores and outside the measured time.
            programs["ours"].measure(cases[0], seconds=0.1, pinned=False)
        programs["jax"] = Peer(jax_python, "jax_steps.py", threads, opts)
        if torch_python:
            programs["torch"] = Peer(torch_python, "torch_steps.py", threads, opts)
        rows += compare(programs, cases, threads, opts.rounds)
        for program in programs.values():
            program.close()
    print(table(rows, where))
    if opts.json:
        opts.json.write_text(json.dumps({"machine": where, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
