//! The settings of another program, read and changed without touching the rest of the file.

mod json;
mod toml;

use serde_json::{Map, Value};

use self::json::Json;
use self::toml::Toml;
use super::setting::{Format, Leaf, Lenient, Wrong};

/// What precedes the text of a file that some editors of Windows wrote.
const BOM: char = '\u{feff}';

/// The text of a file of settings.
#[derive(Clone, Debug)]
pub(super) struct Document {
    format: Format,
    has_bom: bool,
    text: String,
}

impl Document {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            has_bom: false,
            text: String::new(),
        }
    }

    pub(super) fn parse(format: Format, bytes: &[u8]) -> Result<Self, Wrong> {
        let text = std::str::from_utf8(bytes).map_err(|_may_quote_it| Wrong::NotText)?;
        let plain = text.strip_prefix(BOM);
        let document = Self {
            format,
            has_bom: plain.is_some(),
            text: plain.unwrap_or(text).to_owned(),
        };
        document.value().map(|_valid| document)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let bom = self.has_bom.then_some(BOM);
        let mut bytes = bom.map(String::from).unwrap_or_default().into_bytes();
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// All settings.
    pub(super) fn value(&self) -> Result<Value, Wrong> {
        match self.format {
            Format::Json => Json::parse(&self.text)?.value(),
            Format::Toml => Ok(Toml::parse(&self.text)?.value()),
        }
    }

    /// The first of these that the text has.
    pub(super) fn first_of(&self, these: &[Lenient]) -> Result<Option<Lenient>, Wrong> {
        if these.is_empty() || self.format != Format::Json {
            return Ok(None);
        }
        let json = Json::parse(&self.text)?;
        Ok(these.iter().copied().find(|what| json.has(*what)))
    }

    /// The same with these settings.
    pub(super) fn with(&self, leaves: &[Leaf]) -> Result<Self, Wrong> {
        let mut wanted = self.value()?;
        for leaf in leaves {
            insert(&mut wanted, leaf);
        }
        let texts = match self.format {
            Format::Json => vec![Json::parse(&self.text)?.with(leaves)?],
            Format::Toml => Toml::parse(&self.text)?.with(&self.text, leaves),
        };
        self.first(texts, &wanted)
    }

    /// The same without the settings at these places, and the objects that become empty.
    pub(super) fn without(&self, paths: &[&[String]]) -> Result<Self, Wrong> {
        let mut wanted = self.value()?;
        for path in paths {
            remove(&mut wanted, path);
        }
        let text = match self.format {
            Format::Json => Json::parse(&self.text)?.without(paths),
            Format::Toml => Toml::parse(&self.text)?.without(paths),
        };
        self.first(vec![text], &wanted)
    }

    /// The first of these texts that says what is wanted, and nothing else.
    fn first(&self, texts: Vec<String>, wanted: &Value) -> Result<Self, Wrong> {
        let documents = texts.into_iter().map(|text| Self {
            text: self.with_its_newlines(text),
            ..*self
        });
        let says_it = |document: &Self| document.value().as_ref() == Ok(wanted);
        let mut documents = documents.filter(says_it);
        documents.next().ok_or(Wrong::Entangled)
    }

    /// A file with the line ends of Windows keeps them in new lines too.
    fn with_its_newlines(&self, text: String) -> String {
        let lines = self.text.matches('\n').count();
        if lines > 0 && lines == self.text.matches("\r\n").count() {
            text.replace("\r\n", "\n").replace('\n', "\r\n")
        } else {
            text
        }
    }
}

/// The value at a place.
pub(super) fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// The first member on the way to a place that is there already, and is no object or the last.
pub(super) fn obstacle<'a>(value: &'a Value, path: &[String]) -> Option<(usize, &'a Value)> {
    let mut value = value;
    for (depth, name) in path.iter().enumerate() {
        value = value.get(name)?;
        if !value.is_object() || depth + 1 == path.len() {
            return Some((depth, value));
        }
    }
    None
}

fn insert(value: &mut Value, leaf: &Leaf) {
    let mut value = value;
    for name in &leaf.path {
        if !value.is_object() {
            *value = Map::new().into();
        }
        let Value::Object(members) = value else {
            return;
        };
        value = members.entry(name.as_str()).or_insert(Value::Null);
    }
    *value = leaf.value.clone();
}

fn remove(value: &mut Value, path: &[String]) {
    let (Value::Object(members), [name, rest @ ..]) = (value, path) else {
        return;
    };
    if rest.is_empty() {
        members.remove(name);
        return;
    }
    let Some(below) = members.get_mut(name) else {
        return;
    };
    remove(below, rest);
    if below.as_object().is_some_and(Map::is_empty) {
        members.remove(name);
    }
}
