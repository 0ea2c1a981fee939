"""The Stop button keeps what there is."""

import threading
import time

LOOP = """
let mut steps: u64 = 0;
{
    let stop = StopButton::watch();
    println!("started");
    while !stop.pressed() {
        steps += 1;
        std::thread::sleep(std::time::Duration::from_millis(1));
        if steps > 60_000 { break; }
    }
}
"""


def stop_in_the_middle(kernel):
    request = kernel.send(LOOP)
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream" and "started" in message["content"]["text"]:
            break
    time.sleep(0.5)
    pressed = time.monotonic()
    kernel.interrupt()
    reply = kernel.finish(request)
    return reply, time.monotonic() - pressed


def test_stop_ends_a_loop_and_keeps_the_variables_of_this_and_earlier_cells(kernel):
    assert kernel.run("let earlier: i32 = 7;").status == "ok"
    reply, seconds = stop_in_the_middle(kernel)
    assert reply.status == "ok" and not reply.stderr, reply
    assert seconds < 2, seconds
    steps = int(kernel.run("steps").data["text/plain"])
    assert 100 < steps < 60_000
    assert kernel.run("earlier").data["text/plain"].strip() == "7"


def test_stop_works_again_and_an_idle_press_is_forgotten(kernel):
    kernel.interrupt()
    time.sleep(0.2)
    reply, seconds = stop_in_the_middle(kernel)
    assert reply.status == "ok" and seconds < 2
    assert int(kernel.run("steps").data["text/plain"]) > 100


def press_at(kernel, code, *times):
    """Runs a cell and presses Stop so many seconds after its begin."""
    request = kernel.send(code)

    def press():
        for moment in times:
            time.sleep(max(0, kernel.sent + moment - time.monotonic()))
            kernel.interrupt()

    presses = threading.Thread(target=press)
    presses.start()
    reply = kernel.finish(request)
    presses.join()
    return reply


WAITS = 'let status = std::process::Command::new("{}").args({}).status()?; println!("{{status}}");'


def test_stop_ends_the_programs_that_a_cell_has_started_and_keeps_the_variables(kernel):
    assert kernel.run("let earlier: i32 = 7;").status == "ok"
    served = kernel.run('let server = std::process::Command::new("sleep").arg("60").spawn()?;')
    assert served.status == "ok", served
    time.sleep(0.1)
    for program, arguments in {"sleep": '["45"]', "sh": '["-c", "sleep 45; sleep 45"]', "yes": '[""]'}.items():
        reply = press_at(kernel, WAITS.format(program, arguments), 1.5)
        assert reply.status == "ok" and "SIGTERM" in reply.stdout and reply.seconds < 8, reply.stdout[-200:]
    reply = press_at(kernel, "!sleep 45", 1)
    assert reply.errors == ["Stopped: the command was ended."] and reply.seconds < 4, reply
    assert kernel.run("earlier").data["text/plain"] == "7"
    # What an earlier cell has started runs on.
    assert kernel.run("let mut server = server; server.try_wait()?.is_none()").data["text/plain"] == "true"
    assert kernel.run("server.kill()?;").status == "ok"


def test_the_second_press_ends_a_program_that_ignores_the_first(kernel):
    for arguments in ("""["-c", "trap '' TERM; sleep 45"]""", '["-c", "setsid sleep 45 & while true; do sleep 1; done"]'):
        reply = press_at(kernel, WAITS.format("sh", arguments) + "loop {}", 1.5, 3.5)
        assert reply.status == "error" and reply.seconds < 8, reply
        assert len(reply.errors) == 1 and "the variables of all cells are lost" in reply.errors[0], reply
        assert kernel.run('println!("new cell");').stdout == "new cell\n"


def test_a_lost_process_whose_output_a_program_holds_ends_by_the_second_press(kernel):
    assert kernel.run('let held = std::process::Command::new("sleep").arg("60").spawn()?;').status == "ok"
    reply = press_at(kernel, "std::process::exit(0);", 1, 3)
    assert reply.status == "error" and reply.seconds < 10, reply
    assert "the variables of all cells are lost" in reply.errors[0], reply
    assert kernel.run('println!("new cell");').stdout == "new cell\n"


def test_a_cell_that_waits_for_input_can_be_ended(kernel):
    reply = press_at(kernel, "std::io::stdin().read_line(&mut String::new())?;", 1, 2.5, 4)
    assert reply.status == "error" and "the variables of all cells are lost" in reply.errors[0], reply
    assert kernel.run("1").data == {"text/plain": "1"}


def test_what_a_stopped_loop_has_printed_is_not_in_the_next_cell(kernel):
    for loop in ('loop { println!("old cell"); }', 'loop { eprintln!("old cell"); }', 'loop { print!("old"); }'):
        reply = press_at(kernel, loop, 2, 4)
        assert reply.status == "error" and reply.seconds < 15, reply.seconds
        following = kernel.run('println!("new cell");')
        assert (following.stdout, following.stderr) == ("new cell\n", ""), following
        assert following.seconds < 15


def test_a_press_while_output_still_arrives_loses_nothing_unsaid(kernel):
    assert kernel.run("let kept: i32 = 5;").status == "ok"
    reply = press_at(kernel, 'for i in 0..400_000 { println!("{i:040}"); }', 2, 4)
    kept = kernel.run("kept")
    if reply.status == "ok":
        assert kept.data == {"text/plain": "5"}, kept
    else:
        assert "the variables of all cells are lost" in reply.errors[0], reply.errors
