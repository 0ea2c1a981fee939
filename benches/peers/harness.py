"""What both peers share: options, core limits, timing, and the printed lines.

A peer calls `options()` before it imports its framework, because thread pools
are sized when the framework is loaded, and then `run(cases, opts)`.
"""

import argparse
import ctypes
import os
import statistics
import sys
import time

WIDE = [2, 128, 128, 128, 128, 1]
NARROW = [1, 2, 2, 1]
BATCH = 128
NARROW_BATCH = 4096
EMA_DECAY = 0.999
LANGEVIN_STEP = 0.01
CD_STEPS = 10
CD_PENALTY = 0.3

DEFAULT_CASES = [
    "ed_m1", "ed_m4", "ed_m32", "ed_m512", "sm", "cd", "wstab", "langevin128",
    "annealing", "ed_residual", "sm_residual", "ed_conv28",
]  # fmt: skip


def options():
    """Parse the command line and limit this process to the cores it may use."""
    parser = argparse.ArgumentParser(
        description="Prints `case<TAB>threads<TAB>milliseconds` (median step) per case."
    )
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1)
    parser.add_argument("--cases", default=",".join(DEFAULT_CASES))
    parser.add_argument("--seconds", type=float, default=3.0, help="time per case")
    parser.add_argument(
        "--serve", action="store_true",
        help="read case names from stdin, one a line, until it is closed",
    )  # fmt: skip
    parser.add_argument(
        "--stock-malloc", action="store_true",
        help="leave glibc's malloc as it is (see keep_large_blocks)",
    )  # fmt: skip
    opts = parser.parse_args()
    pin(opts.threads)
    if not opts.stock_malloc:
        keep_large_blocks()
    return opts


def pin(threads):
    """Bind the process to its first `threads` cores.

    Library settings alone leave some helper threads unbounded; the affinity mask
    holds for all of them and is the same limit for every program compared.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < threads:
        sys.exit(f"{threads} cores wanted, {len(cores)} available")
    os.sched_setaffinity(0, cores[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)


def keep_large_blocks():
    """Make glibc keep freed blocks instead of returning them to the kernel.

    By default each large activation is mapped and page-faulted anew in every step,
    which makes eager PyTorch up to 1.8 times slower. That is the allocator's cost, not
    the framework's, so the peers are measured without it.
    """
    m_trim_threshold, m_mmap_threshold = -1, -3
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(m_mmap_threshold, 1 << 30)
        mallopt(m_trim_threshold, (1 << 31) - 1)


def median_ms(step, seconds):
    """Median time of `step()` in milliseconds, after a warm-up."""
    repeat(step, 0.1 * seconds)
    return 1e3 * statistics.median(repeat(step, seconds))


def repeat(step, seconds, at_least=3):
    times = []
    start = now = time.perf_counter()
    while now - start < seconds or len(times) < at_least:
        before = time.perf_counter()
        step()
        now = time.perf_counter()
        times.append(now - before)
    return times


def run(cases, opts):
    """Measure the wanted cases; `cases` maps a name to a function making a fresh step."""
    names = sys.stdin if opts.serve else opts.cases.split(",")
    for name in map(str.strip, names):
        if name not in cases and opts.serve:
            print(f"{name}\t{opts.threads}\t-", flush=True)
            continue
        if name not in cases:
            sys.exit(f"unknown case {name!r}; known: {', '.join(cases)}")
        ms = median_ms(cases[name](), opts.seconds)
        print(f"{name}\t{opts.threads}\t{ms:.4f}", flush=True)
