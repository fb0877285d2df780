//! The lists of models.

use serde_json::json;

use crate::http::{ApiStyle, Response};

/// One model, which exists only to be listed: the other calls accept any name.
pub(super) fn list(style: ApiStyle, created: i64) -> Response {
    let body = match style {
        ApiStyle::OpenAi => json!({
            "object": "list",
            "data": [
                {"id": "testkit", "object": "model", "created": created, "owned_by": "testkit"},
            ],
        }),
        ApiStyle::Anthropic => json!({
            "data": [{
                "type": "model",
                "id": "testkit",
                "display_name": "Testkit",
                "created_at": "2025-01-01T00:00:00Z",
                "lifecycle": "active",
            }],
            "has_more": false,
            "first_id": "testkit",
            "last_id": "testkit",
        }),
        ApiStyle::Google => json!({
            "models": [{
                "name": "models/gemini-testkit",
                "version": "testkit",
                "displayName": "Testkit",
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": [
                    "generateContent", "streamGenerateContent", "countTokens",
                ],
            }],
        }),
    };
    Response::json(200, &body)
}
