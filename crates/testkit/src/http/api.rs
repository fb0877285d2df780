//! The calls of the chat APIs, by their paths below the base of an API.

use hyper::Method;

/// Whose requests, responses and errors an API has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ApiStyle {
    OpenAi,
    Anthropic,
    Google,
}

/// A call of a chat API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Api {
    ChatCompletions,
    Responses,
    Messages,
    CountMessageTokens,
    GenerateContent,
    StreamGenerateContent,
    CountContentTokens,
    Models(ApiStyle),
    /// What belongs to the owner of a token.
    Account,
}

impl Api {
    /// The call that a path is for; `None` if an API of this style does not have it.
    pub(crate) fn at(style: ApiStyle, path: &str) -> Option<Self> {
        match style {
            ApiStyle::OpenAi => match path {
                "/v1/chat/completions" => Some(Self::ChatCompletions),
                "/v1/responses" => Some(Self::Responses),
                "/v1/models" => Some(Self::Models(style)),
                _ => None,
            },
            ApiStyle::Anthropic => match path {
                "/v1/messages" => Some(Self::Messages),
                "/v1/messages/count_tokens" => Some(Self::CountMessageTokens),
                "/v1/models" => Some(Self::Models(style)),
                _ => None,
            },
            ApiStyle::Google => google(path),
        }
    }

    pub(crate) fn style(self) -> ApiStyle {
        match self {
            Self::ChatCompletions | Self::Responses | Self::Account => ApiStyle::OpenAi,
            Self::Messages | Self::CountMessageTokens => ApiStyle::Anthropic,
            Self::GenerateContent | Self::StreamGenerateContent | Self::CountContentTokens => {
                ApiStyle::Google
            }
            Self::Models(style) => style,
        }
    }

    pub(super) fn methods(self) -> &'static [Method] {
        match self {
            Self::Models(_) | Self::Account => &[Method::GET],
            Self::ChatCompletions
            | Self::Responses
            | Self::Messages
            | Self::CountMessageTokens
            | Self::GenerateContent
            | Self::StreamGenerateContent
            | Self::CountContentTokens => &[Method::POST],
        }
    }
}

/// `/v1/models`, and `/v1/models/MODEL:METHOD`; `/v1beta` as well.
fn google(path: &str) -> Option<Api> {
    let versions = ["/v1beta/models", "/v1/models"];
    let rest = versions.iter().find_map(|base| path.strip_prefix(base))?;
    if rest.is_empty() {
        return Some(Api::Models(ApiStyle::Google));
    }
    let (model, method) = rest.strip_prefix('/')?.split_once(':')?;
    if model.is_empty() || model.contains('/') {
        return None;
    }
    match method {
        "generateContent" => Some(Api::GenerateContent),
        "streamGenerateContent" => Some(Api::StreamGenerateContent),
        "countTokens" => Some(Api::CountContentTokens),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_a_path_of_google_name_the_same_call() {
        for version in ["v1", "v1beta"] {
            let at = |rest: &str| Api::at(ApiStyle::Google, &format!("/{version}/models{rest}"));
            assert_eq!(at(""), Some(Api::Models(ApiStyle::Google)));
            assert_eq!(at("/x:generateContent"), Some(Api::GenerateContent));
            let streaming = at("/x:streamGenerateContent");
            assert_eq!(streaming, Some(Api::StreamGenerateContent));
            for other in ["x", "/", "/x", "/:generateContent", "/a/b:generateContent"] {
                assert_eq!(at(other), None, "{other}");
            }
        }
    }
}
