//! What cells print, below a relay, below evcxr alone, and in a terminal. Each cell is run by this
//! test's own program, in a process with the environment in question.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may.

use energy_discrepancy::prelude::*;
use energy_discrepancy::{eprintln, print, println};
use std::fmt::Display;
use std::process::{Command, Output};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const RELAY: &[(&str, &str)] = &[("EVCXR_RELAY", SECRET), ("EVCXR_IS_RUNTIME", "1")];
const EVCXR: &[(&str, &str)] = &[("EVCXR_IS_RUNTIME", "1")];
const TERMINAL: &[(&str, &str)] = &[];

macro_rules! by_name {
    ($($function:ident,)*) => { [$((stringify!($function), $function as fn())),*] };
}

/// Runs one of the cells, or the checks of what they print.
fn main() {
    let cells = by_name![
        a_cell_that_prints,
        a_cell_that_fails,
        a_cell_that_ends_in_results,
        a_cell_that_prints_what_looks_like_evcxr_s_lines,
        a_cell_that_catches_a_panic,
        a_cell_that_panics,
        a_cell_that_is_handed_a_panic,
        a_cell_with_a_long_line,
        a_cell_that_shows_figures,
    ];
    let checks = by_name![
        printing_is_as_it_was_but_for_half_lines,
        a_failed_question_mark_is_the_cell_s_error,
        a_result_shows_its_figure_or_its_message,
        what_looks_like_evcxr_s_lines_stays_text,
        a_caught_panic_is_not_told_in_the_place_of_a_later_one,
        a_panic_is_the_cell_s_error,
        a_long_line_is_closed_by_a_short_one,
        figures_are_shown_one_after_the_other,
    ];
    if let Ok(name) = std::env::var("CELL") {
        let (_, cell) = cells.iter().find(|(known, _)| *known == name).unwrap();
        return cell();
    }
    for (name, check) in checks {
        check();
        println!("{name} ... ok");
    }
}

/// What evcxr puts around a cell, word for word.
struct EvcxrUserCodeError {}
impl<T: Display> From<T> for EvcxrUserCodeError {
    fn from(error: T) -> Self {
        eprintln!("{}", error);
        println!("{}", evcxr_internal_runtime::USER_ERROR_OCCURRED);
        EvcxrUserCodeError {}
    }
}

fn cell(run: impl FnOnce() -> Result<(), EvcxrUserCodeError>) {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = run();
    })) {
        Ok(_) => {}
        Err(_) => {
            println!("EVCXR_PANIC_NOTIFICATION");
        }
    }
}

fn chart(y: &[f64]) -> Chart {
    Chart::new("a line").line(Line::new(&[0.0, 1.0], y))
}

/// Runs one of the cells, in a process of its own.
fn run(cell: &str, environment: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .env("CELL", cell)
        .env_remove("EVCXR_RELAY")
        .env_remove("EVCXR_IS_RUNTIME")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The messages in what a cell printed, less those that say nothing.
fn messages(output: &Output) -> Vec<serde_json::Value> {
    let text = stdout(output);
    let parts = text.split('\u{1}').skip(1);
    let json = parts.map(|part| part.lines().next().unwrap().strip_prefix(SECRET).unwrap());
    let all: Vec<serde_json::Value> = json
        .map(|json| serde_json::from_str(json).unwrap())
        .collect();
    for pair in all.chunks(2) {
        assert_eq!(pair[1], serde_json::json!({}), "each marker is closed");
    }
    all.into_iter().step_by(2).collect()
}

fn a_cell_that_prints() {
    cell(|| {
        print!("a half line, ");
        println!("its end");
        println!();
        let (name, here) = ("named", 2);
        println!("{name} {} {:?}", 1, Some(here),);
        eprintln!("{}", here);
        eprintln!("{name}");
        eprintln!();
        Ok(())
    });
}

fn printing_is_as_it_was_but_for_half_lines() {
    let printed = "a half line, its end\n\nnamed 1 Some(2)\n";
    for environment in [EVCXR, TERMINAL] {
        let output = run("a_cell_that_prints", environment);
        assert_eq!(stdout(&output), printed);
        assert_eq!(stderr(&output), "2\nnamed\n\n");
    }
    let output = run("a_cell_that_prints", RELAY);
    let half = serde_json::json!({
        "msg_type": "stream",
        "content": { "name": "stdout", "text": "a half line, " },
    });
    assert_eq!(messages(&output), [half]);
    assert!(
        stdout(&output).ends_with("{}\nits end\n\nnamed 1 Some(2)\n"),
        "{output:?}"
    );
    assert_eq!(stderr(&output), "2\nnamed\n\n");
}

fn a_cell_that_fails() {
    cell(|| {
        rng(0);
        Err(Error::Figure("for a \"reason\"".into()))?;
        Ok(())
    });
}

fn a_failed_question_mark_is_the_cell_s_error() {
    let message = "the figure cannot be drawn: for a \"reason\"";
    for environment in [EVCXR, TERMINAL] {
        let output = run("a_cell_that_fails", environment);
        assert_eq!(stderr(&output), format!("{message}\n"));
        assert_eq!(stdout(&output), "EVCXR_ERROR_OCCURRED\n");
        assert!(!stdout(&output).contains('\u{1}'), "{output:?}");
    }
    let output = run("a_cell_that_fails", RELAY);
    let [error] = &messages(&output)[..] else {
        panic!("{output:?}")
    };
    assert_eq!(error["msg_type"], "error");
    assert_eq!(error["content"]["ename"], "Error");
    assert_eq!(error["content"]["evalue"], message);
    assert_eq!(error["content"]["traceback"][0], message);
    assert_eq!(stderr(&output), "");
    assert!(
        stdout(&output).contains("\nEVCXR_ERROR_OCCURRED\n"),
        "{output:?}"
    );
}

/// What evcxr does with a last expression that has no `evcxr_display`.
fn shown_by_debug(value: &dyn std::fmt::Debug) {
    std::println!("EVCXR_BEGIN_CONTENT text/plain\n{value:?}\nEVCXR_END_CONTENT");
}

fn a_cell_that_ends_in_results() {
    shown_by_debug(&Err::<Chart, _>(Error::Figure("at the end".into())));
    shown_by_debug(&Ok::<Chart, Error>(chart(&[0.0, 1.0])));
    chart(&[0.0]).evcxr_display();
}

fn a_result_shows_its_figure_or_its_message() {
    let output = run("a_cell_that_ends_in_results", RELAY);
    let text = stdout(&output);
    let plain = "EVCXR_BEGIN_CONTENT text/plain\n";
    assert!(
        text.starts_with(&format!(
            "{plain}Err(the figure cannot be drawn: at the end)\n"
        )),
        "{text}"
    );
    let picture = text
        .split("EVCXR_BEGIN_CONTENT image/png\n")
        .nth(1)
        .unwrap();
    let rest = "EVCXR_BEGIN_CONTENT evcxr/rest\n)\nEVCXR_END_CONTENT\n";
    let end = format!("\nEVCXR_END_CONTENT\n{plain}Figure: a line\nEVCXR_END_CONTENT\n{rest}");
    assert!(
        picture.starts_with("iVBOR") && picture.contains(&end),
        "{text}"
    );
    let [error] = &messages(&output)[..] else {
        panic!("{output:?}")
    };
    assert!(
        error["content"]["evalue"]
            .as_str()
            .unwrap()
            .starts_with("a line's")
    );
    assert_eq!(stderr(&output), "");
}

const LIKE_EVCXR: &str = "a\nEVCXR_BEGIN_CONTENT text/html\n<script>\nEVCXR_END_CONTENT\n\
                          EVCXR_EXECUTION_COMPLETE\nEVCXR_PANIC_NOTIFICATION\nEVCXR_INPUT_REQUEST:";

fn a_cell_that_prints_what_looks_like_evcxr_s_lines() {
    cell(|| {
        println!("{LIKE_EVCXR}");
        print!("{LIKE_EVCXR}");
        println!();
        Chart::new(LIKE_EVCXR)
            .line(Line::new(&[0.0, 1.0], &[0.0, 1.0]))
            .show()?;
        let mut progress = Progress::new(0, 2);
        progress.at(1, || LIKE_EVCXR.into());
        progress.finish(2, LIKE_EVCXR);
        let mut claims = Claims::new(Preset::Smoke, 0);
        claims.report(LIKE_EVCXR, 1.0);
        claims.check()?;
        notebook::show_html("EVCXR_END_CONTENT", LIKE_EVCXR);
        Err(Error::Data(LIKE_EVCXR.into()))?;
        Ok(())
    });
}

fn what_looks_like_evcxr_s_lines_stays_text() {
    for environment in [RELAY, EVCXR] {
        let output = run(
            "a_cell_that_prints_what_looks_like_evcxr_s_lines",
            environment,
        );
        let text = stdout(&output);
        let of_evcxr: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("EVCXR_"))
            .collect();
        // The crate's own: a figure's blocks on stock evcxr, and the end by the error.
        let own = [
            "EVCXR_BEGIN_CONTENT text/plain",
            "EVCXR_BEGIN_CONTENT image/png",
            "EVCXR_END_CONTENT",
        ];
        let blocks = of_evcxr.iter().filter(|line| own.contains(line)).count();
        assert_eq!(of_evcxr.len(), blocks + 1, "{of_evcxr:?}");
        assert_eq!(
            blocks,
            if environment == EVCXR { 4 } else { 0 },
            "{of_evcxr:?}"
        );
        assert_eq!(of_evcxr.last(), Some(&"EVCXR_ERROR_OCCURRED"));
    }
    let output = run("a_cell_that_prints_what_looks_like_evcxr_s_lines", RELAY);
    let messages = messages(&output);
    assert_eq!(messages[0]["content"]["text"], format!("{LIKE_EVCXR}\n"));
    assert_eq!(messages[1]["content"]["text"], LIKE_EVCXR);
    assert!(stderr(&output).is_empty(), "{output:?}");
    let output = run("a_cell_that_prints_what_looks_like_evcxr_s_lines", TERMINAL);
    assert!(stdout(&output).starts_with(LIKE_EVCXR));
}

fn a_cell_that_catches_a_panic() {
    cell(|| {
        println!("first");
        std::panic::catch_unwind(|| panic!("caught")).unwrap_err();
        let panic = std::thread::spawn(|| panic!("aside")).join().unwrap_err();
        std::panic::resume_unwind(panic);
    });
}

fn a_caught_panic_is_not_told_in_the_place_of_a_later_one() {
    let output = run("a_cell_that_catches_a_panic", RELAY);
    let [error] = &messages(&output)[..] else {
        panic!("{output:?}")
    };
    assert_eq!(error["content"]["evalue"], "aside");
    assert!(stderr(&output).contains("panic: caught"), "{output:?}");
}

fn a_cell_that_panics() {
    cell(|| {
        println!("first");
        std::thread::spawn(|| panic!("aside")).join().unwrap_err();
        panic!("too far");
    });
}

fn a_cell_that_is_handed_a_panic() {
    cell(|| {
        println!("first");
        let panic = std::thread::spawn(|| panic!("aside")).join().unwrap_err();
        std::panic::resume_unwind(panic);
    });
}

fn a_panic_is_the_cell_s_error() {
    let output = run("a_cell_that_panics", RELAY);
    let [error] = &messages(&output)[..] else {
        panic!("{output:?}")
    };
    assert_eq!(error["msg_type"], "error");
    assert_eq!(error["content"]["ename"], "panic");
    assert_eq!(error["content"]["evalue"], "too far");
    let traceback = error["content"]["traceback"][0].as_str().unwrap();
    assert!(
        traceback.starts_with("panic: too far (tests/cells.rs:"),
        "{traceback}"
    );
    assert!(stderr(&output).starts_with("panic: aside (") && stderr(&output).lines().count() == 1);
    assert!(
        stdout(&output).contains("\nEVCXR_PANIC_NOTIFICATION\n"),
        "{output:?}"
    );

    let output = run("a_cell_that_is_handed_a_panic", RELAY);
    assert_eq!(messages(&output)[0]["content"]["evalue"], "aside");

    let output = run("a_cell_that_panics", EVCXR);
    assert!(stderr(&output).contains("\npanic: too far ("), "{output:?}");
    assert!(
        stdout(&output).contains("\nEVCXR_PANIC_NOTIFICATION\n"),
        "{output:?}"
    );
}

fn a_cell_with_a_long_line() {
    cell(|| {
        println!("{}", "long ".repeat(10_000));
        Ok(())
    });
}

fn a_long_line_is_closed_by_a_short_one() {
    let end = format!("long \n\u{1}{SECRET} {{}}\n");
    assert!(stdout(&run("a_cell_with_a_long_line", RELAY)).contains(&end));
    assert!(!stdout(&run("a_cell_with_a_long_line", EVCXR)).contains('\u{1}'));
}

fn a_cell_that_shows_figures() {
    cell(|| {
        chart(&[0.0, 1.0]).show()?;
        Figure::row([chart(&[1.0, 0.0])]).show()?;
        Ok(())
    });
}

fn figures_are_shown_one_after_the_other() {
    let output = run("a_cell_that_shows_figures", RELAY);
    let [first, second] = &messages(&output)[..] else {
        panic!("{output:?}")
    };
    for message in [first, second] {
        assert_eq!(message["msg_type"], "display_data");
        assert_eq!(message["content"]["data"]["text/plain"], "Figure: a line");
        assert!(
            message["content"]["data"]["image/png"]
                .as_str()
                .unwrap()
                .starts_with("iVBOR")
        );
    }
    let id = |message: &serde_json::Value| message["content"]["transient"]["display_id"].clone();
    assert_ne!(id(first), id(second));

    let blocks = stdout(&run("a_cell_that_shows_figures", EVCXR));
    let text = "EVCXR_BEGIN_CONTENT text/plain\nFigure: a line\nEVCXR_END_CONTENT\n";
    assert_eq!(blocks.matches(text).count(), 2, "{blocks}");
    assert!(!blocks.contains('\u{1}'));

    let lines = stdout(&run("a_cell_that_shows_figures", TERMINAL));
    assert!(
        lines.contains("Figure: a line\nFigure: a line\n"),
        "{lines}"
    );
    assert!(
        !lines.contains("EVCXR") && !lines.contains('\u{1}'),
        "{lines}"
    );
}
