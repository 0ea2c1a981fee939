//! Cargo features that a reader asks for by the environment and not in the notebook.

/// The code of a cell with these features, such as `a-crate/cuda`, in the crates' `:dep` lines. None where
/// nothing is to be changed: another cell, or a line that names features itself.
pub fn with_features(code: &str, features: &str) -> Option<String> {
    let features = features.split([',', ' ']);
    let features: Vec<(&str, &str)> = features.filter_map(|one| one.split_once('/')).collect();
    let lines: Vec<String> = code
        .split_inclusive('\n')
        .map(|line| with_features_of_its_crate(line, &features))
        .collect();
    let changed = lines.concat();
    (changed != code).then_some(changed)
}

fn with_features_of_its_crate(line: &str, features: &[(&str, &str)]) -> String {
    let changed = || {
        let (name, table) = line.trim_start().strip_prefix(":dep ")?.split_once('=')?;
        let own = features.iter().filter(|(of, _)| *of == name.trim());
        let names: Vec<String> = own.map(|(_, feature)| format!("{feature:?}")).collect();
        if names.is_empty() || table.contains("features") {
            return None;
        }
        let (head, tail) = line.split_at(line.rfind('}')?);
        let head = head.trim_end().trim_end_matches(',');
        Some(format!("{head}, features = [{}] {tail}", names.join(", ")))
    };
    changed().unwrap_or_else(|| line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUDA: &str = "energy-discrepancy/cuda";

    #[test]
    fn the_crate_s_line_is_changed_and_no_other() {
        let code = "// first\n:dep energy-discrepancy = { path = \"..\" }\nuse a::b;";
        let changed = with_features(code, CUDA).unwrap();
        let line = ":dep energy-discrepancy = { path = \"..\", features = [\"cuda\"] }";
        assert_eq!(changed, format!("// first\n{line}\nuse a::b;"));
        let two = with_features(code, "energy-discrepancy/cuda, energy-discrepancy/other");
        let two = two.unwrap();
        assert!(two.contains("features = [\"cuda\", \"other\"] }"), "{two}");
    }

    #[test]
    fn other_cells_and_lines_that_name_features_stay_as_they_are() {
        for code in [
            "let x = 1;",
            "// :dep energy-discrepancy = { path = \"..\" }",
            ":dep energy-discrepancy-tools = { path = \"..\" }",
            ":dep energy-discrepancy = { path = \"..\", features = [] }",
            ":dep energy-discrepancy = \"0.1\"",
        ] {
            assert_eq!(with_features(code, CUDA), None, "{code}");
        }
        let code = ":dep energy-discrepancy = { path = \"..\" }";
        assert_eq!(with_features(code, ""), None);
        assert_eq!(with_features(code, "cuda"), None);
    }
}
