//! TOML.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

use super::super::setting::{Leaf, Place, Wrong};

#[derive(Debug)]
pub(super) struct Toml(DocumentMut);

impl Toml {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        match text.parse::<DocumentMut>() {
            Ok(document) => Ok(Self(document)),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let before = text.get(..start).unwrap_or_default();
                let line = before.rsplit('\n').next().unwrap_or_default();
                let place = Place {
                    line: before.matches('\n').count() + 1,
                    column: line.chars().count() + 1,
                };
                Err(match error.message() {
                    "duplicate key" => Wrong::AgainAt(place),
                    _ => Wrong::Syntax(place),
                })
            }
        }
    }

    pub(super) fn value(&self) -> Value {
        of_table(self.0.as_table())
    }

    /// The texts that may be it: the settings in tables of their own after all that is there, which
    /// moves nothing, and the settings among the others.
    pub(super) fn with(mut self, text: &str, leaves: &[Leaf]) -> Vec<String> {
        let mut alone = DocumentMut::new();
        insert(alone.as_table_mut(), leaves);
        insert(self.0.as_table_mut(), leaves);
        let between = match text {
            "" => "",
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        vec![format!("{text}{between}{alone}"), self.0.to_string()]
    }

    pub(super) fn without(mut self, paths: &[&[String]]) -> String {
        for path in paths {
            remove(self.0.as_table_mut(), path);
        }
        self.0.to_string()
    }
}

fn insert(table: &mut Table, leaves: &[Leaf]) {
    for leaf in leaves {
        let Some((name, parents)) = leaf.path.split_last() else {
            continue;
        };
        let mut at: &mut dyn TableLike = table;
        for parent in parents {
            let below = at.entry(parent).or_insert_with(new_table);
            if !below.is_table_like() {
                *below = new_table();
            }
            let Some(next) = below.as_table_like_mut() else {
                return;
            };
            at = next;
        }
        at.insert(name, item(&leaf.value));
    }
}

/// A table whose header is written only if it holds settings itself.
fn new_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn remove(table: &mut dyn TableLike, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.remove(name);
        return;
    }
    if let Some(below) = table.get_mut(name).and_then(Item::as_table_like_mut) {
        remove(below, rest);
        if below.is_empty() {
            table.remove(name);
        }
    }
}

fn item(json: &Value) -> Item {
    match json {
        Value::Bool(is) => value(*is),
        Value::Number(number) => value(number.as_i64().unwrap_or_default()),
        Value::Array(values) => {
            let texts = values.iter().filter_map(Value::as_str);
            value(texts.collect::<Array>())
        }
        other => value(other.as_str().unwrap_or_default()),
    }
}

fn of_table(table: &dyn TableLike) -> Value {
    let members = table.iter().filter(|(_, item)| !item.is_none());
    let members = members.map(|(name, item)| (name.to_owned(), of_item(item)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn of_item(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return of_table(table);
    }
    match item {
        Item::Value(value) => of_value(value),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| of_table(table)).collect(),
        _ => Value::Null,
    }
}

fn of_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(is) => (*is.value()).into(),
        toml_edit::Value::Array(values) => values.iter().map(of_value).collect(),
        toml_edit::Value::InlineTable(table) => of_table(table),
        // Not to be taken for texts.
        toml_edit::Value::Float(number) => {
            Value::from(vec!["float".to_owned(), number.value().to_string()])
        }
        toml_edit::Value::Datetime(at) => {
            Value::from(vec!["datetime".to_owned(), at.value().to_string()])
        }
    }
}
