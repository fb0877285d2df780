//! A whole page: plain HTML without scripts or foreign content.

use crate::http::Response;
use crate::random;

const STYLE: &str = include_str!("page.css");

/// A page with one paragraph.
pub(crate) fn message(status: u16, title: &str, text: &str) -> Response {
    let text = escape(text);
    document(status, title, &format!("<p>{text}</p>"), "'none'")
}

/// A page that rejects a request; nothing is redirected.
pub(crate) fn error(status: u16, code: &str, why: &str) -> Response {
    message(status, &format!("Error {status}: {code}"), why)
}

/// The facts of a request, with a button to approve and one to deny.
pub(super) fn decision_form(
    action: &str,
    facts: &[(&str, &str)],
    hidden: &[(&str, &str)],
) -> String {
    let facts: String = facts
        .iter()
        .map(|(name, value)| {
            let class = if *name == "Code" {
                " class=\"code\""
            } else {
                ""
            };
            format!("<dt>{name}</dt><dd{class}>{}</dd>", escape(value))
        })
        .collect();
    let hidden: String = hidden
        .iter()
        .map(|(name, value)| {
            let value = escape(value);
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
        })
        .collect();
    format!(
        "<p>A program asks to sign in as you. Approve only if you started it.</p>\
         <dl>{facts}</dl><form method=\"post\" action=\"{action}\">{hidden}\
         <button class=\"yes\" name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>"
    )
}

/// A whole page; `form_action` is where its forms may lead, as the policy writes it.
pub(crate) fn document(status: u16, title: &str, body: &str, form_action: &str) -> Response {
    let nonce = random::hex(16);
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>{title}</title>\
         <style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main>\
         <footer>llm-auth-testkit: nothing here is real.</footer></body></html>\n"
    );
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    Response::html(status, html)
        .header("Content-Security-Policy", &policy)
        .header("Content-Language", "en")
        .header("Referrer-Policy", "no-referrer")
        .header("X-Content-Type-Options", "nosniff")
        .header("X-Frame-Options", "DENY")
}

pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        let page = message(400, "<b>", "\"><script>alert('x')</script>&");
        let html = String::from_utf8(page.body.bytes().to_vec()).unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>"));
        assert!(html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"));
    }
}
