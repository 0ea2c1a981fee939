"""The markdown table of compare.py, and the targets it is read against."""

# Our time over the peer's: at most, and aimed at.
TARGETS = {
    "ed_m4": {"jax": (0.58, 0.45), "torch": (0.33, 0.25)},
    "ed_m32": {"jax": (0.62, 0.50), "torch": (0.38, 0.30)},
    "ed_m512": {"jax": (0.40, 0.33), "torch": (0.25, 0.20)},
    "sm": {"jax": (0.25, 0.20), "torch": (0.18, 0.14)},
    "cd": {"jax": (0.55, 0.45), "torch": (0.35, 0.28)},
    "wstab": {"jax": (0.90, 0.60), "torch": (0.52, 0.35)},
    "annealing": {"jax": (0.60, 0.50)},
    "ed_residual": {"jax": (0.80, 0.55)},
    "sm_residual": {"jax": (0.55, 0.40)},
    "ed_conv28": {"jax": (1.0, 0.6)},
    "generator32_forward": {"torch": (0.70, 0.60)},
    "generator32_input": {"torch": (0.88, 0.75)},
    "generator32_full": {"torch": (0.80, 0.70)},
    "lebm_mini": {"torch": (0.90, 0.65)},
}


def peer_cells(row, peer):
    """Cells of one peer: its time, our ratio to it, and the target with the verdict."""
    ours, theirs = row["ms"].get("ours"), row["ms"].get(peer)
    ratio = ours / theirs if ours and theirs else None
    target = TARGETS.get(row["case"], {}).get(peer)
    verdict = "-"
    if target:
        most, aim = target
        verdict = f"{most:.2f} / {aim:.2f}"
        if ratio is not None:
            verdict += " aim" if ratio <= aim else " met" if ratio <= most else " **missed**"
    return [number(theirs), number(ratio, 2), verdict if theirs else "-"]


def number(value, digits=3):
    return "-" if value is None else f"{value:.{digits}f}"


def table(rows, where):
    versions = ", ".join(f"{name} {v}" for name, v in where["versions"].items() if v)
    lines = [f"{where['cpu']}, {where['cores']} cores, load {where['load']:.1f}; {versions}", ""]
    lines.append(
        "| case | threads | ours ms | JAX ms | ratio | at most / aim "
        "| PyTorch ms | ratio | at most / aim |"
    )
    lines.append("|---|" + "--:|" * 4 + "---|" + "--:|" * 2 + "---|")
    for row in rows:
        cells = [row["case"], str(row["threads"]), number(row["ms"].get("ours"))]
        cells += peer_cells(row, "jax") + peer_cells(row, "torch")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
