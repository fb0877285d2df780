//! A tool's own settings that take precedence over its environment. Only names are read out of them: a value
//! may be a secret.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::document::{Document, at};
use super::files::LARGEST;
use super::setting::{Format, Wrong};
use crate::commands::tools::{OwnFormat, OwnSettings, Tool};
use crate::error::Failure;

/// Settings in one file.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) file: PathBuf,
    /// The members, from the outermost.
    pub(super) paths: Vec<Vec<String>>,
}

impl Own {
    /// The members as a user writes them.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> = self.paths.iter().map(|path| path.join(".")).collect();
        names.join(", ")
    }
}

/// What is set in the files of a tool, as it is started here.
pub(super) fn of_tool(tool: &Tool) -> Result<Vec<Own>, Failure> {
    let mut found = Vec::new();
    for settings in &tool.settings {
        for file in places(settings)? {
            let Some(value) = read(settings.format, &file)? else {
                continue;
            };
            let mut paths = Vec::new();
            for member in &settings.members {
                set(tool, member, &value, &mut paths);
            }
            if !paths.is_empty() {
                found.push(Own { file, paths });
            }
        }
    }
    Ok(found)
}

/// Whether a setting says something: an empty one turns something off.
pub(super) fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !["", "0", "false"].contains(&text.trim()),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn set(tool: &Tool, member: &str, value: &Value, paths: &mut Vec<Vec<String>>) {
    let mut add = |member: String, is_set: &dyn Fn(&Value) -> bool| {
        let path: Vec<String> = member.split('.').map(str::to_owned).collect();
        if at(value, &path).is_some_and(is_set) {
            paths.push(path);
        }
    };
    let (variable, unset) = ("{variable}", "{unset}");
    if member.contains(variable) {
        for name in tool.variables.keys() {
            // An empty one would take precedence over that of the environment, too.
            add(member.replace(variable, name), &|value| !value.is_null());
        }
    }
    if member.contains(variable) || member.contains(unset) {
        for name in tool.others() {
            let member = member.replace(variable, name).replace(unset, name);
            add(member, &is_set);
        }
    } else {
        add(member.to_owned(), &is_set);
    }
}

/// The user's file, those of the project, and those of the administrator, each once.
fn places(settings: &OwnSettings) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    if let Some(file) = &settings.file {
        all.push(file.file()?);
    }
    for directory in project() {
        all.extend(settings.project.iter().map(|name| directory.join(name)));
    }
    all.extend(settings.managed.iter().map(PathBuf::from));
    let mut places: Vec<PathBuf> = Vec::new();
    for place in all {
        if !places.iter().any(|known| is_same(known, &place)) {
            places.push(place);
        }
    }
    Ok(places)
}

/// Whether two paths lead to one file. The current directory has no links in its path, and the home
/// directory may.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || (real(one).is_some() && real(one) == real(other))
}

/// The current directory, and those above it up to the root of its repository.
fn project() -> Vec<PathBuf> {
    let Ok(here) = std::env::current_dir() else {
        return Vec::new();
    };
    let is_root = |directory: &&Path| directory.join(".git").exists();
    let root = here.ancestors().find(is_root).unwrap_or(&here);
    let above = here.ancestors().take_while(|it| it.starts_with(root));
    above.map(Path::to_owned).collect()
}

fn read(format: OwnFormat, file: &Path) -> Result<Option<Value>, Failure> {
    let unreadable = |why: String| Failure::Config {
        message: format!("cannot read the settings {}: {why}", file.display()),
        advice: "correct the file: it may send the token elsewhere".into(),
    };
    // The tool reads it, also if another user owns it.
    let bytes = match file.metadata() {
        Ok(about) if !about.is_file() => return Err(unreadable("it is no regular file".into())),
        Ok(about) if about.len() > LARGEST => return Err(unreadable("it is too large".into())),
        Ok(_readable) => fs::read(file),
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let value = match format {
        OwnFormat::Json => Document::parse(Format::Json, &bytes).and_then(|it| it.value()),
        OwnFormat::Yaml => text(&bytes).map(|text| of_lines(text, ':')),
        OwnFormat::Env => text(&bytes).map(|text| of_lines(text, '=')),
    };
    value
        .map(Some)
        .map_err(|wrong| unreadable(wrong.to_string()))
}

fn text(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|_may_quote_it| Wrong::NotText)
}

/// Names and values, one a line. Of a value that goes on below, only that it is there.
fn of_lines(text: &str, separator: char) -> Value {
    let mut members: Map<String, Value> = Map::new();
    let mut last: Option<String> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let is_below = separator == ':' && line.starts_with([' ', '\t', '-']);
        if let (true, Some(name)) = (is_below, &last) {
            members.insert(name.clone(), true.into());
            continue;
        }
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once(separator) else {
            continue;
        };
        let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        let value = value.split(" #").next().unwrap_or_default();
        members.insert(bare(name), bare(value).into());
        last = Some(bare(name));
    }
    members.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_two_kinds_are_names_and_values() {
        let env = "# Mine.\nexport A='x' # odd\n B = \"y\"\nC=\nD\n";
        assert_eq!(of_lines(env, '='), json!({"A": "x", "B": "y", "C": ""}));
        let yaml = "a: x\n# Mine.\nb:\n  - y\nc:\n- z\nd:\n\"e\": 'z'\n";
        let values = json!({"a": "x", "b": true, "c": true, "d": "", "e": "z"});
        assert_eq!(of_lines(yaml, ':'), values);
    }

    #[test]
    fn what_is_empty_or_turned_off_is_not_set() {
        for value in [json!(null), json!(""), json!("0"), json!(false), json!([])] {
            assert!(!is_set(&value), "{value}");
        }
        for value in [json!("1"), json!(true), json!("sk-made-up"), json!(["x"])] {
            assert!(is_set(&value), "{value}");
        }
    }
}
