//! Alters responses: templates, and JSON merge patches on bodies and redirects.

use serde_json::{Map, Value};

use crate::http::{Body, Response};

/// The values that placeholders stand for.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) state: String,
    pub(crate) now_ms: i64,
}

/// Fills `{STATE}` and `{NOW_MS+n}`; anything else in braces stays as it is.
pub(super) fn fill(template: &str, values: &Template) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        let filled = rest.find('}').and_then(|end| {
            let value = value_of(&rest[1..end], values)?;
            Some((value, end + 1))
        });
        let (value, length) = filled.unwrap_or_else(|| ("{".to_owned(), 1));
        text.push_str(&value);
        rest = &rest[length..];
    }
    text + rest
}

fn value_of(name: &str, values: &Template) -> Option<String> {
    if name == "STATE" {
        return Some(values.state.clone());
    }
    now(name, values).map(|ms| ms.to_string())
}

fn now(name: &str, values: &Template) -> Option<i64> {
    let shift = name.strip_prefix("NOW_MS")?;
    let shift: i64 = if shift.is_empty() {
        0
    } else {
        shift.parse().ok()?
    };
    Some(values.now_ms.saturating_add(shift))
}

/// Applies a merge patch; `false` if the response is neither JSON nor a redirect back.
pub(super) fn apply_patch(patch: &Value, response: &mut Response, values: &Template) -> bool {
    let patch = filled(patch, values);
    if let Some(callback) = &mut response.callback {
        for (name, value) in patch.as_object().into_iter().flatten() {
            callback.parameters.retain(|(seen, _)| seen != name);
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            if !value.is_null() {
                callback.parameters.push((name.clone(), text));
            }
        }
        return true;
    }
    let Body::Whole(whole) = &response.body else {
        return false;
    };
    let Ok(mut body) = serde_json::from_slice::<Value>(whole) else {
        return false;
    };
    merge(&mut body, patch);
    response.body = body.to_string().into();
    true
}

fn filled(value: &Value, values: &Template) -> Value {
    match value {
        Value::String(text) => {
            let name = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
            name.and_then(|name| now(name, values))
                .map_or_else(|| Value::from(fill(text, values)), Value::from)
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            Value::Object(
                fields
                    .map(|(k, v)| (k.clone(), filled(v, values)))
                    .collect(),
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.clone(),
    }
}

/// RFC 7396 section 2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values() -> Template {
        Template {
            state: "s1".to_owned(),
            now_ms: 1000,
        }
    }

    #[test]
    fn templates_are_filled_and_other_braces_stay() {
        let text = r#"{"state":"{STATE}","at":{NOW_MS+5},"was":{NOW_MS-5},"x":{}}"#;
        assert_eq!(
            fill(text, &values()),
            r#"{"state":"s1","at":1005,"was":995,"x":{}}"#
        );
    }

    #[test]
    fn a_patch_replaces_adds_and_removes_fields() {
        let mut response = Response::json(200, &json!({"a": 1, "b": 2, "c": {"d": 3, "e": 4}}));
        let patch = json!({"a": null, "b": "5", "c": {"d": null}, "at": "{NOW_MS+1}"});
        assert!(apply_patch(&patch, &mut response, &values()));
        let body: Value = serde_json::from_slice(&response.body.bytes()).unwrap();
        assert_eq!(body, json!({"b": "5", "c": {"e": 4}, "at": 1001}));
    }

    #[test]
    fn a_patch_changes_the_query_of_a_redirect() {
        let mut response =
            Response::callback("http://127.0.0.1:1/cb", &[("code", "4/x"), ("state", "s")]);
        assert!(apply_patch(
            &json!({"code": null, "state": "forged"}),
            &mut response,
            &values()
        ));
        let headers = response.all_headers();
        let location = headers.iter().find(|(name, _)| name == "Location").unwrap();
        assert_eq!(location.1, "http://127.0.0.1:1/cb?state=forged");
    }
}
