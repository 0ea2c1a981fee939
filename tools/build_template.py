"""Runs a notebook's first cell in the template build folder. Called by set-up, which locks it."""

import os
import sys

from jupyter_client.manager import KernelManager

from layout import FIRST_CELL, KERNEL, KERNEL_NAME, ROOT


def main() -> None:
    log = KERNEL / "template.log"
    with open(log, "w") as file:
        manager = KernelManager(kernel_name=KERNEL_NAME)
        environment = os.environ | {"ED_BUILD_TEMPLATE": "1"}
        manager.start_kernel(cwd=str(ROOT / "notebooks"), env=environment, stdout=file, stderr=file)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=300)
            for line in FIRST_CELL.splitlines():
                reply = client.execute_interactive(line, timeout=1800)
                if reply["content"]["status"] != "ok":
                    sys.exit(f"set-up: the crate does not build; see above and {log}")
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
