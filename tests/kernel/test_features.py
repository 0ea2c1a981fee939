"""Cargo features that the environment names reach the notebooks' crate."""

from conftest import FIRST_CELL


def test_a_feature_is_added_to_the_crate_s_line(fresh_kernel):
    """One that does not exist: cargo's message shows it, and nothing needs a GPU."""
    kernel = fresh_kernel(EVCXR_FEATURES="energy-discrepancy/no-such-feature")
    reply = kernel.run(FIRST_CELL)
    assert reply.status == "error"
    assert "no-such-feature" in reply.stderr + str(reply.errors), reply


def test_a_line_with_features_of_its_own_keeps_them(fresh_kernel):
    kernel = fresh_kernel()
    reply = kernel.run(FIRST_CELL.replace('".." }', '"..", features = [] }'))
    assert reply.status == "ok" and not reply.stdout, reply
    reply = kernel.run(FIRST_CELL.replace('".." }', '"..", features = ["of-its-own"] }'))
    assert reply.status == "error" and "of-its-own" in str(reply.errors), reply
