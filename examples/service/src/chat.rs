//! A message to the model, with the user's session; the response is passed on as it comes.

use axum::Form;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use llm_auth_core::SecureUrl;
use reqwest::{Method, Request};
use serde::Deserialize;
use serde_json::json;
use tower_service::Service as _;

use crate::app::App;
use crate::browser::Browser;
use crate::config::Failure;
use crate::pages::Problem;

#[derive(Deserialize)]
pub(crate) struct Message {
    csrf: String,
    account: String,
    message: String,
}

pub(crate) async fn chat(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Message>,
) -> Result<Response, Problem> {
    if !browser.sent(&form.csrf) {
        return Err(Problem::FORM);
    }
    if !browser.owns(&app, &form.account).await? {
        return Err(Problem::SESSION);
    }
    let manager = app.sessions.get(&app.key(&form.account))?;
    let api = manager.provider().api(&*manager.token().await?)?;
    let Some(base) = api.base else {
        return Err(Problem::new(
            StatusCode::BAD_GATEWAY,
            "The provider has no API. Set `api_base` in its file.",
        ));
    };
    let request = request(&app.model, &base, &form.message)?;
    let response = app.clients.of(&manager).call(request).await?;
    if !response.status().is_success() {
        // The text of the API may repeat what it was sent.
        tracing::warn!(status = %response.status(), "the model API has refused a message");
        return Err(Problem::new(
            StatusCode::BAD_GATEWAY,
            "The model API has refused the message. Try again later.",
        ));
    }
    let kind = response.headers().get(CONTENT_TYPE).cloned();
    let mut passed = Body::from_stream(response.bytes_stream()).into_response();
    if let Some(kind) = kind {
        passed.headers_mut().insert(CONTENT_TYPE, kind);
    }
    Ok(passed)
}

fn request(model: &str, base: &str, message: &str) -> Result<Request, Failure> {
    let url = SecureUrl::new(&format!("{base}/chat/completions"))?;
    let url = url.as_str().parse()?;
    let body = json!({
        "model": model,
        "stream": true,
        "messages": [{"role": "user", "content": message}],
    });
    let mut request = Request::new(Method::POST, url);
    let json = reqwest::header::HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    *request.body_mut() = Some(body.to_string().into());
    Ok(request)
}
