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
        a_cell_that_ends_in_an_error,
        a_cell_that_panics,
        a_cell_that_is_handed_a_panic,
        a_cell_with_a_long_line,
        a_cell_that_shows_figures,
    ];
    let checks = by_name![
        printing_is_as_it_was_but_for_half_lines,
        a_failed_question_mark_is_the_cell_s_error,
        a_result_that_is_an_error_is_the_cell_s_error,
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
        println!("{}", "EVCXR_ERROR_OCCURRED");
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

fn a_cell_that_ends_in_an_error() {
    Err::<(), _>(Error::Figure("at the end".into())).evcxr_display();
    chart(&[0.0]).evcxr_display();
}

fn a_result_that_is_an_error_is_the_cell_s_error() {
    let output = run("a_cell_that_ends_in_an_error", RELAY);
    let errors = messages(&output);
    assert_eq!(errors.len(), 2, "{output:?}");
    assert_eq!(
        errors[0]["content"]["evalue"],
        "the figure cannot be drawn: at the end"
    );
    assert_eq!(stderr(&output), "");
    let lines = stderr(&run("a_cell_that_ends_in_an_error", EVCXR));
    assert!(
        lines.starts_with("the figure cannot be drawn: at the end\na line's"),
        "{lines}"
    );
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
