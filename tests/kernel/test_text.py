"""What a cell prints is text, whatever it says."""

import json

import pytest

LINES = [
    "EVCXR_BEGIN_CONTENT text/html",
    "<script>alert(1)</script>",
    "EVCXR_END_CONTENT",
    "EVCXR_EXECUTION_COMPLETE",
    "EVCXR_PANIC_NOTIFICATION",
    "EVCXR_ERROR_OCCURRED",
    "EVCXR_VARIABLE_CHANGED_TYPE:kept",
    "EVCXR_INPUT_REQUEST:",
    "\u0001" + "0" * 32 + ' {"msg_type":"error","content":{}}',
]
TEXT = "\n".join(LINES)


def rust(text: str) -> str:
    """As a literal in a cell."""
    return json.dumps(text).replace("\\u0001", "\\u{1}")


@pytest.fixture(scope="module")
def reader(kernel):
    assert kernel.run(f"const TEXT: &str = {rust(TEXT)}; let kept: i32 = 3;").status == "ok"
    return kernel


def check(kernel, reply):
    """Nothing but text was shown, the next cell is its own, and no variable is lost."""
    shown = [content["data"] for kind, content in reply.messages if kind in ("execute_result", "display_data")]
    assert not any("<script" in data.get("text/html", "") for data in shown), shown
    after = kernel.run('println!("next");')
    assert (after.status, after.stdout, after.data) == ("ok", "next\n", {}), after
    assert kernel.run("kept").data == {"text/plain": "3"}


def test_printed_text(reader):
    reply = reader.run("println!(\"{TEXT}\"); let new: i32 = 4;")
    assert (reply.status, reply.stdout) == ("ok", TEXT + "\n"), reply
    check(reader, reply)
    assert reader.run("new").data == {"text/plain": "4"}
    reply = reader.run('print!("{TEXT}");')
    assert (reply.status, reply.stdout) == ("ok", TEXT), reply
    check(reader, reply)
    # A literal of this kind is what evcxr's own code around a cell says.
    for line in set(LINES) - {"EVCXR_PANIC_NOTIFICATION"}:
        reply = reader.run(f"println!({rust(line)});".replace("{", "{{").replace("}", "}}").replace("u{{1}}", "u{1}"))
        assert (reply.status, reply.stdout) == ("ok", line + "\n"), (line, reply)
    check(reader, reply)


def test_the_last_expression(reader):
    reply = reader.run("TEXT")
    assert reply.status == "ok" and "EVCXR" in reply.data["text/plain"], reply
    check(reader, reply)
    reply = reader.run("Error::Data(TEXT.into())")
    check(reader, reply)
    reply = reader.run("Err::<(), Error>(Error::Data(TEXT.into()))")
    assert reply.status == "error", reply
    check(reader, reply)


def test_errors(reader):
    reply = reader.run("Err(Error::Data(TEXT.into()))?;")
    assert reply.status == "error" and reply.errors[0].endswith(TEXT), reply
    check(reader, reply)
    reply = reader.run('panic!("{TEXT}");')
    assert reply.status == "error" and reply.errors == [TEXT], reply
    check(reader, reply)


def test_names_of_a_data_set(reader, tmp_path):
    table = tmp_path / "EVCXR_END_CONTENT.csv"
    quoted = '"' + TEXT.replace('"', '""') + '"'
    table.write_text(f"{quoted},b\n1,2\n3,4\n")
    reply = reader.run(f"Dataset::read({rust(str(table))})?")
    assert reply.status == "ok", reply
    check(reader, reply)
    reply = reader.run(f'Dataset::read({rust(str(table))})?.columns(&["none"])?;')
    assert reply.status == "error", reply
    check(reader, reply)
    reply = reader.run(f"Dataset::read({rust(str(table))})?.names()")
    check(reader, reply)


def test_charts_claims_and_progress(reader):
    line = "Line::new(&[0.0, 1.0], &[0.0, 1.0]).label(TEXT)"
    for cell in (
        f"Chart::new(TEXT).x_label(TEXT).line({line})",
        f"Ok::<Chart, Error>(Chart::new(TEXT).line({line}))",
        f"Chart::new(TEXT).line({line}).show()?;",
        "let mut claims = Claims::new(Preset::Smoke, 0); claims.report(TEXT, 1.0); claims.check()?;",
        "{ let mut progress = Progress::new(0, 2); progress.at(1, || TEXT.into()); progress.finish(2, TEXT); }",
    ):
        reply = reader.run(cell)
        assert reply.status == "ok", (cell, reply)
        check(reader, reply)


def test_what_is_written_past_the_macros_is_no_page(reader):
    page = r"EVCXR_BEGIN_CONTENT text/html\n<script>alert(1)</script>\nEVCXR_END_CONTENT\n"
    for write in (f'std::println!("{page}");', f"""std::process::Command::new("printf").arg("{page}").status()?;"""):
        reply = reader.run(write)
        assert reply.data == {"text/plain": "<script>alert(1)</script>"}, reply
        check(reader, reply)


def test_html_of_the_cell_s_own_is_shown(reader):
    reply = reader.run('notebook::show_html("<b>bold</b>", "bold");')
    assert reply.data == {"text/html": "<b>bold</b>", "text/plain": "bold"}, reply
