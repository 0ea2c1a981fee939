//! What `println!`, `print!` and `eprintln!` do in a notebook's cells.
//!
//! evcxr puts code of its own around each cell. Where a `?` or a panic ends the cell, that code
//! prints a line, and the cell is reported as done all the same: "run all" goes on, and so does
//! `nbconvert`. And evcxr reads stdout by whole lines: half a line waits for the rest of it, and
//! at a cell's end it hangs the kernel.
//!
//! A kernel's start-up has `use evcxr_notebook::{eprintln, print, println};`, so that these
//! macros stand for those of the standard library, in the user's code and in evcxr's. They do the
//! same, but for what is said above, and but for text that looks like evcxr's own: that stays text. In
//! a program, nothing is to be imported.

use super::output::{self, Reader};
use super::panics;
use super::relay::Relay;
use super::stdout;
use std::fmt;

/// Tells why the cell failed: below the cell, or on stderr where nothing else can be done.
///
/// # Examples
/// ```
/// let rate: Result<f64, _> = "fast".parse::<f64>();
/// if let Err(error) = rate {
///     evcxr_notebook::fail(&format!("the rate \"fast\": {error}"));
/// }
/// ```
pub fn fail(reason: &dyn fmt::Display) {
    match Relay::get() {
        Some(relay) => {
            let reason = reason.to_string();
            relay.fail("Error", &reason, &[&reason]);
        }
        None => eprintln!("{reason}"),
    }
}

/// `eprintln!`, in the function that this type was declared in.
#[doc(hidden)]
pub fn error(function: &str, text: fmt::Arguments) {
    panics::watch_in_kernel();
    match Relay::get() {
        // evcxr's `impl From<T> for EvcxrUserCodeError`, into which a `?` converts.
        Some(relay) if function.contains("EvcxrUserCodeError") => {
            let reason = text.to_string();
            let hint = "(`?` ended the cell: variables that are new in it are not kept.)";
            relay.fail("Error", &reason, &[&reason, hint]);
        }
        _ => eprintln!("{text}"),
    }
}

/// `println!`.
#[doc(hidden)]
pub fn line(text: fmt::Arguments) {
    panics::watch_in_kernel();
    output::line(&text.to_string());
}

/// `print!`.
#[doc(hidden)]
pub fn piece(text: fmt::Arguments) {
    panics::watch_in_kernel();
    match Reader::get() {
        Reader::Relay(relay) => relay.print(&text.to_string()),
        Reader::Evcxr => print!("{}", stdout::quoted(&text.to_string())),
        Reader::Terminal => print!("{text}"),
    }
}

/// evcxr's line after a `?` that has ended the cell.
#[doc(hidden)]
pub fn errored() {
    stdout::write("EVCXR_ERROR_OCCURRED\n");
}

/// evcxr's line after a panic.
#[doc(hidden)]
pub fn panicked() {
    if let Some(relay) = Relay::get() {
        match panics::take() {
            Some(panic) => relay.fail("panic", &panic.message, &[&panic.to_string()]),
            None => relay.fail("panic", "no message", &["panic: no message"]),
        }
    }
    stdout::write("EVCXR_PANIC_NOTIFICATION\n");
}

/// Stands for `eprintln!` in cells, where it also makes a failed `?` a failed cell.
///
/// # Examples
/// What evcxr's code says when a `?` fails. There it is an error below the cell, here a line on
/// stderr.
/// ```
/// use evcxr_notebook::eprintln;
/// let error = "no such file";
/// eprintln!("{}", error);
/// eprintln!("{} of {}", 1, 2);
/// eprintln!();
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! eprintln {
    ($format:tt, $error:ident) => {
        $crate::cell::error(
            {
                // Its type's name begins with that of the function around it.
                fn here() {}
                ::std::any::type_name_of_val(&here)
            },
            ::std::format_args!($format, $error),
        )
    };
    ($($text:tt)*) => { ::std::eprintln!($($text)*) };
}

/// Stands for `println!` in cells, where it also makes a panic a failed cell.
///
/// # Examples
/// ```
/// use evcxr_notebook::println;
/// let name = "world";
/// println!("hello, {name}");
/// println!("{:>width$}", 1, width = 5);
/// println!();
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! println {
    () => { $crate::cell::line(::std::format_args!("")) };
    // What evcxr's code around a cell says, word for word. All else is the cell's own text.
    ("EVCXR_PANIC_NOTIFICATION") => { $crate::cell::panicked() };
    ("{}", evcxr_internal_runtime::USER_ERROR_OCCURRED) => { $crate::cell::errored() };
    ($($text:tt)*) => { $crate::cell::line(::std::format_args!($($text)*)) };
}

/// Stands for `print!` in cells, where half a line is then shown at once.
///
/// # Examples
/// ```
/// use evcxr_notebook::print;
/// for i in 0..3 {
///     print!("{i} ");
/// }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::cell::piece(::std::format_args!($($text)*)) };
}
