//! The annotation `x-mcp-header` in a tool's input schema (revision 2026-07-28, Streamable HTTP,
//! custom headers from tool parameters).

use serde_json::{Map, Value};

use crate::challenge::is_token;

const ANNOTATION: &str = "x-mcp-header";

/// The keywords of JSON Schema whose value is a schema, a list of schemas, or an object of schemas.
/// Values of other keywords, such as `default`, are data, and an annotation there is none.
const SCHEMA: [&str; 11] = [
    "items",
    "contains",
    "unevaluatedItems",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
];
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const OBJECT: [&str; 4] = [
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
];

/// A parameter that the server wants in a header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Parameter {
    /// The names that lead to it in the arguments.
    pub(super) path: Vec<String>,
    /// The end of the header's name.
    pub(super) header: String,
}

/// The annotated parameters of a tool.
///
/// # Errors
///
/// What is wrong with an annotation.
pub(super) fn parameters(schema: &Value) -> Result<Vec<Parameter>, String> {
    let mut found = Vec::new();
    walk(schema, Some(&[]), &mut found)?;
    for (at, one) in found.iter().enumerate() {
        let is_same = |other: &Parameter| other.header.eq_ignore_ascii_case(&one.header);
        if found[..at].iter().any(is_same) {
            return Err(format!(
                "two of its parameters want the header {}",
                one.header
            ));
        }
    }
    Ok(found)
}

/// `path` is `None` where no value of the arguments has a place of its own.
fn walk(schema: &Value, path: Option<&[String]>, found: &mut Vec<Parameter>) -> Result<(), String> {
    let Some(schema) = schema.as_object() else {
        return Ok(());
    };
    if let Some(annotation) = schema.get(ANNOTATION) {
        found.push(parameter(schema, annotation, path)?);
    }
    for (keyword, value) in schema {
        let keyword = keyword.as_str();
        if keyword == "properties" {
            for (name, property) in value.as_object().into_iter().flatten() {
                let path = path.map(|path| [path, std::slice::from_ref(name)].concat());
                walk(property, path.as_deref(), found)?;
            }
        } else if SCHEMA.contains(&keyword) {
            walk(value, None, found)?;
        } else if LIST.contains(&keyword) {
            for schema in value.as_array().into_iter().flatten() {
                walk(schema, None, found)?;
            }
        } else if OBJECT.contains(&keyword) {
            for schema in value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, schema)| schema)
            {
                walk(schema, None, found)?;
            }
        }
    }
    Ok(())
}

fn parameter(
    schema: &Map<String, Value>,
    annotation: &Value,
    path: Option<&[String]>,
) -> Result<Parameter, String> {
    let path = path
        .filter(|path| !path.is_empty())
        .ok_or("it wants a header for what is not a single parameter")?;
    let header = annotation
        .as_str()
        .filter(|name| is_name(name))
        .ok_or("it wants a header whose name is not valid")?;
    let kind = schema.get("type").and_then(Value::as_str);
    if !matches!(kind, Some("boolean" | "integer" | "string")) {
        return Err(format!(
            "its header {header} is for a parameter that is no string, integer or boolean"
        ));
    }
    Ok(Parameter {
        path: path.to_vec(),
        header: header.to_owned(),
    })
}

/// Whether it may be part of a header's name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_annotation_is_found_below_properties_and_data_holds_none() {
        let schema = json!({
            "default": {"x-mcp-header": "D"},
            "properties": {
                "a": {"type": "object", "properties": {"b": {"type": "string", "x-mcp-header": "B"}}},
                "x-mcp-header": {"type": "string", "enum": ["x-mcp-header"]},
            },
        });
        let found = parameters(&schema).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, ["a", "b"]);
        assert!(parameters(&Value::Null).unwrap().is_empty());
    }

    #[test]
    fn an_annotation_that_is_not_valid_is_an_error() {
        let one = |kind: &Value, header: &Value| json!({"properties": {"a": {"type": kind, "x-mcp-header": header}}});
        let a = json!({"type": "string", "x-mcp-header": "A"});
        for schema in [
            one(&json!("number"), &json!("A")),
            one(&json!(["string", "null"]), &json!("A")),
            one(&Value::Null, &json!("A")),
            one(&json!("string"), &json!("")),
            one(&json!("string"), &json!("A B")),
            one(&json!("string"), &json!("A\r\nB")),
            one(&json!("string"), &json!(7)),
            json!({"x-mcp-header": "A", "type": "string"}),
            json!({"items": a}),
            json!({"anyOf": [{"properties": {"a": a}}]}),
            json!({"$defs": {"a": a}}),
            json!({"properties": {"a": a, "b": {"type": "string", "x-mcp-header": "a"}}}),
        ] {
            assert!(parameters(&schema).is_err(), "{schema}");
        }
    }
}
