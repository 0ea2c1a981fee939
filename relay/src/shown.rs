//! What a cell's last expression shows.
//!
//! evcxr knows a rich output by a line of stdout, which a file's text that is printed can hold too.
//! Types that could run a script in a reader's page are therefore shown only where the cell's code
//! has put the kernel's secret behind the type.

use serde_json::{Map, Value, json};

/// What becomes of an `execute_result`.
#[derive(Debug, PartialEq)]
pub enum Shown {
    /// It is shown so.
    Content(Value),
    /// The last expression was an `Err`: the content of an error.
    Error(Value),
    /// It says nothing.
    Nothing,
}

/// The types that need no secret: front ends run nothing of them.
const HARMLESS: [&str; 6] = [
    "text/plain",
    "text/markdown",
    "text/latex",
    "image/png",
    "image/jpeg",
    "image/gif",
];

/// The content of an `execute_result` as it is to be shown; with a secret only displays that have it.
pub fn shown(content: Value, secret: Option<&str>) -> Shown {
    let mut content = content;
    let data: Map<String, Value> = content["data"].as_object().cloned().unwrap_or_default();
    let text = data.get("text/plain").and_then(Value::as_str).unwrap_or("");
    let inner = text
        .strip_prefix("Err(")
        .and_then(|text| text.strip_suffix(')'));
    if let (Some(reason), 1) = (inner, data.len()) {
        let error = json!({"ename": "Error", "evalue": reason, "traceback": [reason]});
        return Shown::Error(error);
    }
    // Of a loop, of a call that was only to do something.
    if data.len() == 1 && ["()", "Ok(())"].contains(&text) {
        return Shown::Nothing;
    }
    let mut kept = Map::new();
    let mut refused = None;
    for (kind, value) in data {
        match (secret, kind.split_once(';')) {
            // The rest of a text that a figure's `Debug` has interrupted.
            _ if kind == "evcxr/rest" => {}
            (Some(secret), Some((kind, signature))) if signature == secret => {
                kept.insert(kind.to_owned(), value);
            }
            (Some(_), _) if !HARMLESS.contains(&kind.as_str()) && !is_timing(&kind, &value) => {
                refused = Some(value);
            }
            _ => {
                kept.insert(kind, value);
            }
        }
    }
    // What a cell prints is text, whatever it says.
    if let (true, Some(text)) = (kept.is_empty(), refused) {
        kept.insert("text/plain".into(), text);
    }
    if kept.is_empty() {
        return Shown::Nothing;
    }
    content["data"] = Value::Object(kept);
    Shown::Content(content)
}

/// evcxr's own words after `:timing`.
fn is_timing(kind: &str, value: &Value) -> bool {
    let html = value.as_str().unwrap_or("");
    let time = html.strip_prefix("<span style=\"color: rgba(0,0,0,0.4);\">Took ");
    let digits = time.and_then(|time| time.strip_suffix("ms</span>"));
    kind == "text/html"
        && digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(data: Value, secret: Option<&str>) -> Shown {
        shown(
            json!({"data": data, "metadata": {}, "execution_count": 1}),
            secret,
        )
    }

    fn data(shown: Shown) -> Value {
        match shown {
            Shown::Content(content) => content["data"].clone(),
            other => json!(format!("{other:?}")),
        }
    }

    #[test]
    fn an_err_is_an_error_and_a_unit_is_nothing() {
        let Shown::Error(error) = result(json!({"text/plain": "Err(no file)"}), None) else {
            unreachable!("an Err");
        };
        assert_eq!(error["evalue"], "no file");
        for unit in ["()", "Ok(())"] {
            assert_eq!(result(json!({"text/plain": unit}), None), Shown::Nothing);
        }
        for text in ["5", "Ok(5)", "\"Err(a)\"", "[Err(a)]", "Errors(1)"] {
            let content = json!({"text/plain": text});
            assert_eq!(data(result(content.clone(), Some("s"))), content);
        }
    }

    #[test]
    fn with_a_secret_only_what_has_it_or_is_harmless_is_shown() {
        let forged = json!({"text/html": "<script>", "text/plain": "a"});
        assert_eq!(data(result(forged.clone(), None)), forged);
        assert_eq!(
            data(result(forged, Some("5ec"))),
            json!({"text/plain": "a"})
        );
        let alone = data(result(json!({"image/svg+xml": "<svg>"}), Some("5ec")));
        assert_eq!(alone, json!({"text/plain": "<svg>"}));
        let signed = json!({"text/html;5ec": "<b>", "image/png": "aa", "text/html;5e": "<i>"});
        assert_eq!(
            data(result(signed, Some("5ec"))),
            json!({"text/html": "<b>", "image/png": "aa"})
        );
        let timing =
            json!({"text/html": "<span style=\"color: rgba(0,0,0,0.4);\">Took 12ms</span>"});
        assert_eq!(data(result(timing.clone(), Some("5ec"))), timing);
    }

    #[test]
    fn the_rest_of_an_interrupted_text_is_dropped() {
        let figure = json!({"text/plain": "Figure: a", "image/png": "aa", "evcxr/rest": ")"});
        let clean = json!({"text/plain": "Figure: a", "image/png": "aa"});
        assert_eq!(data(result(figure.clone(), None)), clean);
        assert_eq!(data(result(figure, Some("5ec"))), clean);
    }
}
