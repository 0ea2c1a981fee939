"""The Stop button keeps what there is."""

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
