//! The `:dep` lines of cells: what this kernel knows better than the notebook.
//!
//! Where a crate is that the kernel has built beforehand, and cargo features that a reader asks for by
//! the environment and not in the notebook.

use std::path::{Path, PathBuf};

/// What is known of some crates.
#[derive(Debug, Default)]
pub struct Crates {
    /// (crate, feature)
    features: Vec<(String, String)>,
    /// (crate, folder)
    paths: Vec<(String, PathBuf)>,
}

impl Crates {
    /// From `a-crate/cuda, another/feature` and `a-crate=/its/folder`, a line for each folder.
    pub fn new(features: &str, paths: &str) -> Self {
        let features = features.split([',', ' ']);
        let features = features.filter_map(|one| one.split_once('/'));
        let paths = paths.lines().filter_map(|line| line.split_once('='));
        Self {
            features: features
                .map(|(of, one)| (of.to_owned(), one.to_owned()))
                .collect(),
            paths: paths
                .map(|(of, path)| (of.to_owned(), path.into()))
                .collect(),
        }
    }

    /// The code of a cell with its `:dep` lines as they should be. None where nothing is to be changed.
    pub fn adapt(&self, code: &str) -> Option<String> {
        let before: usize = before_rust(code).map(str::len).sum();
        let (commands, rust) = code.split_at(before);
        let lines = commands.split_inclusive('\n');
        let adapted: String = lines.map(|line| self.adapt_line(line)).collect();
        (adapted != commands).then(|| adapted + rust)
    }

    fn adapt_line(&self, line: &str) -> String {
        let Some((name, value)) = dep(line) else {
            return line.to_owned();
        };
        let value = match self.paths.iter().find(|(of, _)| *of == name) {
            Some((_, path)) if !leads_to(&value, &name) => with_path(&value, path),
            _ => value.clone(),
        };
        let own = self.features.iter().filter(|(of, _)| *of == name);
        let names = own.map(|(_, feature)| format!("{feature:?}"));
        let names: Vec<String> = names.filter(|name| !value.contains(name)).collect();
        let value = with_features(&value, &names.join(", ")).unwrap_or(value);
        let end = if line.ends_with('\n') { "\n" } else { "" };
        match dep(line) {
            Some((_, before)) if before == value => line.to_owned(),
            _ => format!(":dep {name} = {value}{end}"),
        }
    }
}

/// The lines of a cell before its Rust, where evcxr looks for commands.
pub fn before_rust(code: &str) -> impl Iterator<Item = &str> {
    code.split_inclusive('\n').take_while(|line| {
        let is_command = line.trim_start_matches(' ').starts_with(':');
        is_command || line.trim().is_empty() || line.starts_with("//") || line.starts_with('!')
    })
}

/// The crates that a cell asks for, as `:dep` lines: an `extern crate` of an unknown one is one too.
pub fn dep_lines(code: &str) -> Vec<String> {
    const OF_RUST: [&str; 5] = ["std", "core", "alloc", "proc_macro", "test"];
    let written = before_rust(code).filter(|line| dep(line).is_some());
    let written = written.map(|line| line.trim_end().to_owned());
    let of_crates = code.lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix("extern crate ")?;
        let name = name.split([';', ' ']).next()?;
        (!OF_RUST.contains(&name)).then(|| format!(":dep {name}"))
    });
    written.chain(of_crates).collect()
}

/// The crate and the value of a `:dep` line, which can also be a folder.
fn dep(line: &str) -> Option<(String, String)> {
    let rest = line.trim_start_matches(' ').strip_prefix(":dep ")?.trim();
    if rest.starts_with(['.', '/']) && !rest.contains('=') {
        let name = name_of(Path::new(rest))?;
        return Some((name, format!("{{ path = {rest:?} }}")));
    }
    let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

/// The name of the crate in a folder.
fn name_of(folder: &Path) -> Option<String> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let mut lines = manifest
        .lines()
        .skip_while(|line| line.trim() != "[package]");
    lines.find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "name").then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The path in a value, between its quotation marks, and what is around it.
fn path_of(value: &str) -> Option<(&str, &str, &str)> {
    let at = value.find("path")?;
    let from = at + value[at..].find(['"', '\''])? + 1;
    let mark = value[..from].chars().next_back()?;
    let to = from + value[from..].find(mark)?;
    Some((&value[..from], &value[from..to], &value[to..]))
}

/// Whether the value has a path to a folder with a crate of this name.
fn leads_to(value: &str, name: &str) -> bool {
    path_of(value).is_some_and(|(_, path, _)| name_of(Path::new(path)).as_deref() == Some(name))
}

fn with_path(value: &str, path: &Path) -> String {
    let path = path.display().to_string();
    match path_of(value) {
        Some((before, _, after)) => format!("{before}{path}{after}"),
        None => format!("{{ path = {path:?} }}"),
    }
}

/// A value with these features behind its own; None where there are none, or no table.
fn with_features(value: &str, names: &str) -> Option<String> {
    let table = value.starts_with('{') && !names.is_empty();
    let list = value.find("features").filter(|_| table).and_then(|at| {
        let rest = value[at + "features".len()..]
            .trim_start()
            .strip_prefix('=')?;
        let from = value.len() - rest.trim_start().strip_prefix('[')?.len();
        Some(from + value[from..].find(']')?)
    });
    match list {
        Some(end) => {
            let (head, tail) = value.split_at(end);
            let head = head.trim_end().trim_end_matches(',');
            let comma = if head.ends_with('[') { "" } else { ", " };
            Some(format!("{head}{comma}{names}{tail}"))
        }
        None => {
            let (head, tail) = value.split_at(value.rfind('}').filter(|_| table)?);
            let head = head.trim_end().trim_end_matches(',');
            Some(format!("{head}, features = [{names}] {tail}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUDA: &str = "energy-discrepancy/cuda";

    #[test]
    fn the_crate_s_line_gets_the_features_and_no_other() {
        let crates = Crates::new(CUDA, "");
        let code = "// first\n:dep energy-discrepancy = { path = \"..\" }\nuse a::b;";
        let line = ":dep energy-discrepancy = { path = \"..\", features = [\"cuda\"] }";
        assert_eq!(
            crates.adapt(code).unwrap(),
            format!("// first\n{line}\nuse a::b;")
        );
        let two = Crates::new("energy-discrepancy/cuda, energy-discrepancy/other", "");
        let two = two.adapt(code).unwrap();
        assert!(two.contains("features = [\"cuda\", \"other\"] }"), "{two}");
    }

    #[test]
    fn features_are_added_to_those_that_a_line_has() {
        let crates = Crates::new(CUDA, "");
        for (own, all) in [
            ("", "\"cuda\""),
            ("\"a\"", "\"a\", \"cuda\""),
            ("\"a\", ", "\"a\", \"cuda\""),
        ] {
            let line = |list: &str| {
                format!(":dep energy-discrepancy = {{ features = [{list}], path = \"..\" }}\n1")
            };
            assert_eq!(crates.adapt(&line(own)).unwrap(), line(all));
        }
    }

    #[test]
    fn other_cells_and_lines_that_have_the_features_stay_as_they_are() {
        for code in [
            "let x = 1;",
            "// :dep energy-discrepancy = { path = \"..\" }",
            ":dep energy-discrepancy-tools = { path = \"..\" }",
            ":dep energy-discrepancy = { path = \"..\", features = [\"a\", \"cuda\"] }",
            ":dep energy-discrepancy = \"0.1\"",
        ] {
            assert_eq!(Crates::new(CUDA, "").adapt(code), None, "{code}");
        }
        let code = ":dep energy-discrepancy = { path = \"..\" }";
        assert_eq!(Crates::new("", "").adapt(code), None);
        assert_eq!(Crates::new("cuda", "").adapt(code), None);
    }

    #[test]
    fn a_line_that_leads_nowhere_leads_to_the_kernel_s_own_crate() {
        let here = env!("CARGO_MANIFEST_DIR");
        let crates = Crates::new("", &format!("evcxr-relay={here}"));
        let found = format!(":dep evcxr-relay = {{ path = {here:?} }}");
        for line in [
            ":dep evcxr-relay = { path = \"no/such/folder\" }",
            ":dep evcxr-relay = { path = \"src\" }",
            ":dep evcxr-relay = \"0.1\"",
            ":dep evcxr-relay",
        ] {
            assert_eq!(crates.adapt(line).unwrap(), found, "{line}");
        }
        let more = ":dep evcxr-relay = { features = [\"a\"], path = \"x\", default-features = false }\nlet a = 1;";
        let more = crates.adapt(more).unwrap();
        assert!(
            more.contains(here) && more.ends_with("default-features = false }\nlet a = 1;"),
            "{more}"
        );
        assert_eq!(crates.adapt(&found), None);
        assert_eq!(
            crates.adapt(":dep other = { path = \"no/such/folder\" }"),
            None
        );
    }

    #[test]
    fn a_folder_is_the_crate_in_it() {
        let here = env!("CARGO_MANIFEST_DIR");
        let crates = Crates::new("evcxr-relay/a", "");
        let found = format!(":dep evcxr-relay = {{ path = {here:?}, features = [\"a\"] }}\n1");
        assert_eq!(crates.adapt(&format!(":dep {here}\n1")).unwrap(), found);
        assert_eq!(crates.adapt(":dep /no/such/folder"), None);
    }

    #[test]
    fn other_spellings_stay_toml() {
        let crates = Crates::new("evcxr-relay/b", "");
        for (line, found) in [
            (
                "{ path=\"..\",features=[\"a\"] }",
                "{ path=\"..\",features=[\"a\", \"b\"] }",
            ),
            (
                "{ features = [ ], path = '..' }",
                "{ features = [\"b\"], path = '..' }",
            ),
        ] {
            let adapted = crates.adapt(&format!(":dep evcxr-relay = {line}")).unwrap();
            assert_eq!(adapted, format!(":dep evcxr-relay = {found}"));
        }
        let raw = "let text = r#\"\n:dep evcxr-relay = { path = \"x\" }\n\"#;";
        assert_eq!(crates.adapt(raw), None);
    }

    #[test]
    fn dep_lines_end_where_rust_begins() {
        let code = "// a\n:dep itoa = \"1\"\n\n  :dep csv\n:vars\nlet x = 1;\n:dep late = \"1\"";
        assert_eq!(dep_lines(code), [":dep itoa = \"1\"", "  :dep csv"]);
        let code = "extern crate statrs;\n  extern crate std;\nextern crate either as e;";
        assert_eq!(dep_lines(code), [":dep statrs", ":dep either"]);
        assert!(dep_lines("println!(\":dep a\");").is_empty());
    }
}
