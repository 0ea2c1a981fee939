"""Compiles a file of CUDA kernels for the CPU: a library with the list `kernels`, by name, for the driver's stand-in.

Called for dfdx's files when the stand-in is built (tools/cuda_on_cpu.py), and by its nvrtc for what dfdx compiles while
it runs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPILER = [os.environ.get("CXX", "g++"), "-std=c++17", "-x", "c++", "-w", f"-I{HERE}"]


def main() -> int:
    source, library, *options = sys.argv[1:]
    source = Path(source).resolve()
    # nvrtc's way of writing it. The toolkit's own headers are for its compilers.
    folders = [option.replace("--include-path=", "-I") for option in options if option.startswith(("-I", "--include-"))]
    folders = [folder for folder in folders if not Path(folder[2:], "cuda.h").exists()]
    try:
        # Names come out of macros: the preprocessor has to find them.
        text = subprocess.run([*COMPILER, *folders, "-E", source], check=True, capture_output=True, text=True).stdout
        names = re.findall(r"__global__\s+void\s+(\w+)\s*\(", text)
        entries = "".join(f'    {{"{name}", Entry<{name}>::function}},\n' for name in names)
        program = (
            f'#include "kernel.h"\n#include "{source}"\n'
            'extern "C" __attribute__((visibility("default"))) const Kernel kernels[] = {\n'
            f"{entries}    {{nullptr, nullptr}},\n}};\n"
        )
        # Compiled beside its place and moved there, as another process may want the same.
        new = Path(f"{library}.{os.getpid()}")
        flags = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-o", new, "-"]
        # Whoever loads the driver's stand-in need not have made its symbols known to all: a notebook does not.
        driver = [f"-L{Path(library).resolve().parents[1]}", "-lcuda"]
        subprocess.run([*COMPILER, *folders, *flags, *driver], check=True, capture_output=True, text=True, input=program)
        new.replace(library)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
