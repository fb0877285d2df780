//! The parameters of tools that their server wants in headers, as `tools/list` shows them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use serde_json::value::RawValue;

use super::header_value::encoded;
use super::schema::{Parameter, parameters};

/// What the tools of a server want; for revision 2026-07-28.
#[derive(Debug, Default)]
pub(super) struct Tools(Mutex<HashMap<String, Vec<Parameter>>>);

impl Tools {
    /// Reads a response to `tools/list`. If a tool's definition is not valid, returns the response
    /// without that tool: the specification asks for that, since a call of it cannot be right.
    pub(super) fn watch(&self, response: &str) -> Option<String> {
        // Without the annotation, however it is escaped, there is nothing to do.
        if !response.contains("x-mcp-header") && !response.contains("\\u") {
            self.forget(response);
            return None;
        }
        let mut response: Value = serde_json::from_str(response).ok()?;
        let tools = response.pointer_mut("/result/tools")?.as_array_mut()?;
        let before = tools.len();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tools.retain(|tool| {
            let Some(name) = tool["name"].as_str() else {
                return true;
            };
            match parameters(&tool["inputSchema"]) {
                Ok(wanted) => {
                    known.insert(name.to_owned(), wanted);
                    true
                }
                Err(why) => {
                    tracing::warn!(tool = name, "left the tool out: {why}");
                    known.remove(name);
                    false
                }
            }
        });
        (tools.len() < before).then(|| response.to_string())
    }

    /// The tools of this response want no headers, if one of them ever did.
    fn forget(&self, response: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, wanted| !wanted.is_empty());
        if known.is_empty() {
            return;
        }
        let response: Value = serde_json::from_str(response).unwrap_or_default();
        let tools = response["result"]["tools"].as_array();
        for name in tools
            .into_iter()
            .flatten()
            .filter_map(|tool| tool["name"].as_str())
        {
            known.remove(name);
        }
    }

    /// The headers for a call of this tool.
    pub(super) fn headers(
        &self,
        tool: &str,
        arguments: Option<&RawValue>,
    ) -> Vec<(String, String)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = known.get(tool).filter(|wanted| !wanted.is_empty());
        let (Some(wanted), Some(arguments)) = (wanted, arguments) else {
            return Vec::new();
        };
        let arguments: Value = serde_json::from_str(arguments.get()).unwrap_or_default();
        let headers = wanted.iter().filter_map(|parameter| {
            let value = parameter
                .path
                .iter()
                .try_fold(&arguments, |at, name| at.get(name))?;
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            Some((format!("Mcp-Param-{}", parameter.header), encoded(&text)))
        });
        headers.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(tools: &Value) -> String {
        json!({"id": 1, "result": {"tools": tools}}).to_string()
    }

    fn headers(tools: &Tools, tool: &str, arguments: &str) -> Vec<(String, String)> {
        let arguments = RawValue::from_string(arguments.to_owned()).unwrap();
        tools.headers(tool, Some(&arguments))
    }

    fn region() -> Value {
        json!({"name": "query", "inputSchema": {"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry"}}},
            "limit": {"type": "integer", "x-mcp-header": "Limit"},
        }}})
    }

    #[test]
    fn arguments_become_headers_and_missing_ones_do_not() {
        let tools = Tools::default();
        assert_eq!(tools.watch(&response(&json!([region()]))), None);
        let mut found = headers(
            &tools,
            "query",
            r#"{"region":"é","deep":{"dry":true},"limit":-7,"other":"x"}"#,
        );
        found.sort();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            found,
            [
                pair("Mcp-Param-Dry", "true"),
                pair("Mcp-Param-Limit", "-7"),
                pair("Mcp-Param-Region", "=?base64?w6k=?="),
            ]
        );
        assert!(headers(&tools, "query", r#"{"region":null,"deep":[],"limit":{}}"#).is_empty());
        assert!(headers(&tools, "other", r#"{"region":"x"}"#).is_empty());
    }

    #[test]
    fn a_tool_that_is_not_valid_is_left_out_and_the_others_stay() {
        let tools = Tools::default();
        let bad = json!({"name": "bad", "inputSchema": {"properties": {
            "a": {"type": "number", "x-mcp-header": "A"},
        }}});
        let left = tools.watch(&response(&json!([bad, region()]))).unwrap();
        let left: Value = serde_json::from_str(&left).unwrap();
        assert_eq!(left["result"]["tools"], json!([region()]));
        assert_eq!(left["id"], 1);
    }

    #[test]
    fn a_tool_that_wants_headers_no_more_gets_none() {
        let tools = Tools::default();
        tools.watch(&response(&json!([region()])));
        tools.watch(&response(&json!([{"name": "query", "inputSchema": {}}])));
        assert!(headers(&tools, "query", r#"{"region":"x"}"#).is_empty());
    }
}
