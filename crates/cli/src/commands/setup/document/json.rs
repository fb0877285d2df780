//! JSON, with the comments and trailing commas that many programs accept.

use jsonc_parser::cst::{CstInputValue, CstNode, CstObject, CstRootNode};
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{ParseOptions, ParseStringErrorKind};
use serde_json::{Map, Value};

use super::super::setting::{Leaf, Lenient, Place, Wrong};

#[derive(Debug)]
pub(super) struct Json(CstRootNode);

impl Json {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let options = ParseOptions {
            allow_comments: true,
            allow_trailing_commas: true,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        match CstRootNode::parse(text, &options) {
            Ok(root) => Ok(Self(root)),
            Err(error) => {
                let place = Place {
                    line: error.line_display(),
                    column: error.column_display(),
                };
                // For these, it is the place of their beginning.
                Err(match error.kind() {
                    ParseErrorKind::UnterminatedObject => Wrong::NotClosed("object", place),
                    ParseErrorKind::UnterminatedArray => Wrong::NotClosed("array", place),
                    ParseErrorKind::UnterminatedCommentBlock => Wrong::NotClosed("comment", place),
                    ParseErrorKind::String(ParseStringErrorKind::UnterminatedStringLiteral) => {
                        Wrong::NotClosed("string", place)
                    }
                    _ => Wrong::Syntax(place),
                })
            }
        }
    }

    /// All settings; an empty file has none.
    pub(super) fn value(&self) -> Result<Value, Wrong> {
        let Some(root) = self.0.value() else {
            return Ok(Map::new().into());
        };
        let object = root.as_object().ok_or(Wrong::NoObject)?;
        check_names(&object)?;
        root.to_serde_value().ok_or(Wrong::NoObject)
    }

    /// Whether the text has this anywhere.
    pub(super) fn has(&self, what: Lenient) -> bool {
        has(&self.0.clone().into(), what)
    }

    pub(super) fn with(self, leaves: &[Leaf]) -> Result<String, Wrong> {
        let root = self.0.object_value_or_create().ok_or(Wrong::NoObject)?;
        for leaf in leaves {
            let Some((name, parents)) = leaf.path.split_last() else {
                continue;
            };
            let mut object = root.clone();
            for parent in parents {
                object = object.object_value_or_set(parent);
            }
            match object.get(name) {
                Some(property) => property.set_value(input(&leaf.value)),
                None => {
                    object.append(name, input(&leaf.value));
                }
            }
        }
        Ok(self.0.to_string())
    }

    pub(super) fn without(self, paths: &[&[String]]) -> String {
        if let Some(root) = self.0.object_value() {
            for path in paths {
                remove(&root, path);
            }
        }
        self.0.to_string()
    }
}

fn remove(object: &CstObject, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    let Some(property) = object.get(name) else {
        return;
    };
    if rest.is_empty() {
        return property.remove();
    }
    if let Some(below) = property.object_value() {
        remove(&below, rest);
        if below.properties().is_empty() {
            property.remove();
        }
    }
}

fn has(node: &CstNode, what: Lenient) -> bool {
    let is_it = match what {
        Lenient::Comments => node.is_comment(),
        Lenient::TrailingCommas => {
            let children = node.children().into_iter();
            let mut parts = children.filter(|part| !part.is_trivia()).rev();
            // Before the bracket that closes it.
            parts.nth(1).is_some_and(|last| last.is_comma())
        }
    };
    is_it || node.children().iter().any(|below| has(below, what))
}

/// Programs read the last of two members of one name, and a change would go to the first.
fn check_names(object: &CstObject) -> Result<(), Wrong> {
    let mut names = Vec::new();
    for property in object.properties() {
        let name = property.decoded_name().unwrap_or_default();
        if names.contains(&name) {
            return Err(Wrong::Twice(name));
        }
        names.push(name);
        if let Some(below) = property.object_value() {
            check_names(&below)?;
        }
    }
    Ok(())
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(is) => CstInputValue::Bool(*is),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (name.clone(), input(value)));
            CstInputValue::Object(members.collect())
        }
    }
}
