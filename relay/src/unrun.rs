//! Cells of which evcxr runs nothing, without a word.
//!
//! evcxr puts `fn f(){` before a cell's Rust and takes the statements of `f`. There are none where the
//! first that is no comment is a `}`, or where a comment is opened and not closed.

/// Why nothing of this cell was run, although it holds more than comments.
pub fn why_nothing_ran(code: &str) -> Option<&'static str> {
    let lines = code.split_inclusive('\n');
    let is_skipped = |line: &&str| {
        let text = line.trim_start_matches(' ');
        line.starts_with("//")
            || line.starts_with('!')
            || text.starts_with(':')
            || line.trim().is_empty()
    };
    let skipped: usize = lines.take_while(is_skipped).map(str::len).sum();
    let mut rest = code[skipped..].trim_start();
    loop {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("/*") {
            let Some(after) = after_comment(rest) else {
                return Some(
                    "Nothing was run: a comment is opened by `/*` and not closed. Close it by `*/`.",
                );
            };
            rest = after;
        } else if rest.starts_with('}') {
            return Some(
                "Nothing was run: the cell begins with a `}` that closes nothing. Take it away.",
            );
        } else {
            return None;
        }
        rest = rest.trim_start();
    }
}

/// What follows the block comment at the beginning; comments may lie in comments.
fn after_comment(text: &str) -> Option<&str> {
    let mut depth = 0;
    let mut rest = text;
    loop {
        let at = rest.find(['/', '*'])?;
        rest = &rest[at..];
        let step = match rest.get(..2) {
            Some("/*") => {
                depth += 1;
                2
            }
            Some("*/") => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        rest = &rest[step..];
        if depth == 0 {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_that_swallow_the_cell_and_stray_brackets_are_told() {
        for code in [
            "/* old\nlet x = 1;",
            ":dep itoa = \"1\"\n/* old",
            "// a\n\n/* a /* b */ c",
            "/*",
            "/* a */ /* b",
            "!ls\n  /*/",
        ] {
            assert!(
                why_nothing_ran(code).is_some_and(|why| why.contains("comment")),
                "{code}"
            );
        }
        for code in ["}", "} let x = 1;", "// a\n/* b */ } 1", "  \n }"] {
            assert!(
                why_nothing_ran(code).is_some_and(|why| why.contains('}')),
                "{code}"
            );
        }
    }

    #[test]
    fn all_others_are_let_be() {
        for code in [
            "",
            "   \n",
            "// only a comment",
            "/* only /* a */ comment */",
            "/**/",
            "/***/ 1",
            "let x = 1; }",
            "\"/*\"",
            ":vars",
            "!ls *",
            "{ }",
            "/* a */ let x = 1; /* begun",
        ] {
            assert_eq!(why_nothing_ran(code), None, "{code}");
        }
    }

    proptest! {
        #[test]
        fn no_text_ends_the_relay(code in "[/*}{\\n a\"é:!]{0,40}") {
            let _ = why_nothing_ran(&code);
        }
    }
}
