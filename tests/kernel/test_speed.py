"""Wall time from sending a cell to its reply. The limits leave room for a busy machine; the
printed figures are what an idle one is judged by (`make test` shows them)."""

import statistics


def measure(kernel, cells):
    return [kernel.run(cell).seconds for cell in cells]


def test_cells_are_quick(fresh_kernel, capsys):
    kernel = fresh_kernel()
    first = kernel.begin().seconds
    kernel.run("let warm: f64 = 0.0;")
    times = {
        "1 + 1": measure(kernel, ["1 + 1"] * 7),
        "a crate call": measure(kernel, ["Color::ramp(3)"] * 7),
        "a new let": measure(kernel, [f"let v{i}: f64 = {i}.0;" for i in range(7)]),
    }
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    with capsys.disabled():
        print(f"\n  kernel start {kernel.start_seconds:.2f} s, first cell {first:.2f} s")
        for name, median in medians.items():
            print(f"  {name:<13} median {median:.2f} s of {len(times[name])}")
    assert first < 20
    assert max(medians.values()) < 2


def test_two_notebooks_at_once_are_both_quick(fresh_kernel, capsys):
    kernels = [fresh_kernel(), fresh_kernel()]
    first = [kernel.begin().seconds for kernel in kernels]
    folders = []
    for kernel in kernels:
        reply = kernel.run('std::env::var("EVCXR_TMPDIR").unwrap()')
        folders.append(reply.data["text/plain"])
    with capsys.disabled():
        print(f"\n  two kernels at once: first cells {first[0]:.2f} s and {first[1]:.2f} s")
    assert folders[0] != folders[1]
    assert max(first) < 20
