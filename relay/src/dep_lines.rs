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
        let adapted: String = code
            .split_inclusive('\n')
            .map(|line| self.adapt_line(line))
            .collect();
        (adapted != code).then_some(adapted)
    }

    fn adapt_line(&self, line: &str) -> String {
        let Some((name, value)) = dep(line) else {
            return line.to_owned();
        };
        let end = if line.ends_with('\n') { "\n" } else { "" };
        let line = match self.paths.iter().find(|(of, _)| of == name) {
            Some((_, path)) if !leads_to(value, name) => with_path(name, value, path) + end,
            _ => line.to_owned(),
        };
        self.with_features(&line).unwrap_or(line)
    }

    fn with_features(&self, line: &str) -> Option<String> {
        let (name, value) = dep(line)?;
        let own = self.features.iter().filter(|(of, _)| of == name);
        let names = own.map(|(_, feature)| format!("{feature:?}"));
        let names: Vec<String> = names.filter(|name| !value.contains(name)).collect();
        if names.is_empty() {
            return None;
        }
        let names = names.join(", ");
        // Behind those that the line names itself.
        let list = line
            .find("features = [")
            .map(|at| at + "features = [".len());
        if let Some(end) = list.and_then(|from| Some(from + line[from..].find(']')?)) {
            let (head, tail) = line.split_at(end);
            let head = head.trim_end().trim_end_matches(',');
            let comma = if head.ends_with('[') { "" } else { ", " };
            return Some(format!("{head}{comma}{names}{tail}"));
        }
        let (head, tail) = line.split_at(line.rfind('}')?);
        let head = head.trim_end().trim_end_matches(',');
        Some(format!("{head}, features = [{names}] {tail}"))
    }
}

/// The `:dep` lines of a cell. Behind the first line of Rust there are none.
pub fn dep_lines(code: &str) -> Vec<&str> {
    let lines = code.lines();
    let before_rust = lines.take_while(|line| {
        line.trim().is_empty()
            || line.starts_with("//")
            || line.starts_with('!')
            || line.trim_start().starts_with(':')
    });
    before_rust.filter(|line| dep(line).is_some()).collect()
}

/// The crate and the value of a `:dep` line.
fn dep(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_start().strip_prefix(":dep ")?;
    let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
    Some((name.trim(), value.trim()))
}

/// The path in a value, between its quotation marks, and what is around it.
fn path_of(value: &str) -> Option<(&str, &str, &str)> {
    let at = value.find("path")?;
    let from = at + value[at..].find('"')? + 1;
    let to = from + value[from..].find('"')?;
    Some((&value[..from], &value[from..to], &value[to..]))
}

/// Whether the value has a path to a folder with a crate of this name.
fn leads_to(value: &str, name: &str) -> bool {
    let Some((_, path, _)) = path_of(value) else {
        return false;
    };
    let manifest = std::fs::read_to_string(Path::new(path).join("Cargo.toml"));
    let line = format!("name = {name:?}");
    manifest.is_ok_and(|text| text.lines().any(|found| found.trim() == line))
}

fn with_path(name: &str, value: &str, path: &Path) -> String {
    let path = path.display().to_string();
    match path_of(value) {
        Some((before, _, after)) => format!(":dep {name} = {before}{path}{after}"),
        None => format!(":dep {name} = {{ path = {path:?} }}"),
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
    fn dep_lines_end_where_rust_begins() {
        let code = "// a\n:dep itoa = \"1\"\n\n  :dep csv\n:vars\nlet x = 1;\n:dep late = \"1\"";
        assert_eq!(dep_lines(code), [":dep itoa = \"1\"", "  :dep csv"]);
        assert!(dep_lines("println!(\":dep a\");").is_empty());
    }
}
