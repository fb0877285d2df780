//! The pages a person sees: plain HTML without scripts or anything foreign.

use hyper::Method;

use crate::answer::{Answer, Judged};
use crate::code::Consent;
use crate::device::Decision;
use crate::dispatch::Call;
use crate::random;
use crate::state::State;
use crate::vendor::Vendor;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --accent: #2563eb; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 10vh auto; padding: 0 1rem; }
main { border: 1px solid var(--line); border-radius: 12px; padding: 1.5rem 2rem; }
h1 { font-size: 1.3rem; margin-top: 0; }
dt { opacity: .7; font-size: .85rem; } dd { margin: 0 0 .6rem; overflow-wrap: anywhere; }
code, pre { font: 14px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
.code { font-size: 1.5rem; letter-spacing: .1em; }
button { font: inherit; padding: .5rem 1.4rem; border-radius: 8px; border: 1px solid var(--line); cursor: pointer; }
button.yes { background: var(--accent); border-color: var(--accent); color: #fff; }
input { font: inherit; padding: .4rem; }
small { opacity: .7; }";

/// A page with something to say.
pub(crate) fn message(status: u16, title: &str, text: &str) -> Answer {
    document(status, title, &format!("<p>{}</p>", escape(text)), "'none'")
}

/// Google's consent page. It reloads, so that a decision made elsewhere takes the person along.
pub(crate) fn consent(consent: &Consent) -> Answer {
    let asked = &consent.asked;
    let facts = [
        ("Client", asked.client_id.as_str()),
        ("Sends you back to", &asked.redirect_uri),
        ("Scope", &asked.scope),
        ("Request", &consent.id),
    ];
    let hidden = [("id", consent.id.as_str()), ("csrf", &consent.csrf)];
    let body = decision_form("/o/oauth2/v2/auth", &facts, &hidden);
    // After the form the browser is redirected to a port nobody knows beforehand.
    document(200, "Sign in to the simulated Google", &body, "http:").header("Refresh", "3")
}

/// The page where a person approves a device flow of Qwen or MiniMax.
pub(crate) fn device_approval(vendor: Vendor, call: &Call<'_>, state: &mut State) -> Judged {
    let (name, path) = match vendor {
        Vendor::Qwen => ("Qwen", "/authorize"),
        Vendor::MiniMax | Vendor::Gemini => ("MiniMax", "/oauth-authorize"),
    };
    let title = format!("Sign in to the simulated {name}");
    let Some(user_code) = call.form.get("user_code") else {
        let body = format!(
            "<form action=\"{path}\"><label>Code <input name=\"user_code\" autofocus></label> \
             <button class=\"yes\">Continue</button></form>"
        );
        return Ok(document(200, &title, &body, "'self'"));
    };
    let Some(grant) = state.device_by_user_code(user_code) else {
        return Ok(message(404, &title, "This code is not known here."));
    };
    if grant.expired() {
        return Ok(message(410, &title, "This code has expired."));
    }
    if call.request.method == Method::POST {
        if call.form.get("csrf") != Some(&grant.csrf) {
            return Ok(message(
                403,
                "Refused",
                "The form did not come from this page.",
            ));
        }
        grant.decide(match call.form.get("decision") {
            Some("approve") => Decision::Approved,
            _ => Decision::Denied,
        });
    }
    Ok(match grant.decision() {
        Decision::Approved => message(
            200,
            "Approved",
            "You may close this page and go back to the terminal.",
        ),
        Decision::Denied => message(200, "Denied", "Nothing was given away."),
        Decision::Open => {
            let facts = [
                ("Code", grant.user_code.as_str()),
                ("Client", &grant.client_id),
                ("Scope", &grant.scope),
            ];
            let hidden = [
                ("user_code", grant.user_code.as_str()),
                ("csrf", &grant.csrf),
            ];
            document(200, &title, &decision_form(path, &facts, &hidden), "'self'")
        }
    })
}

fn decision_form(action: &str, facts: &[(&str, &str)], hidden: &[(&str, &str)]) -> String {
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
        "<dl>{facts}</dl><form method=\"post\" action=\"{action}\">{hidden}\
         <button class=\"yes\" name=\"decision\" value=\"approve\">Approve</button> \
         <button name=\"decision\" value=\"deny\">Deny</button></form>"
    )
}

/// A whole page; `form_action` is where its forms may lead, in the words of the policy.
pub(crate) fn document(status: u16, title: &str, body: &str, form_action: &str) -> Answer {
    let nonce = random::hex(16);
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main>\
         <p><small>llm-auth-testkit: nothing here is real.</small></p></body></html>\n"
    );
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    Answer::html(status, html)
        .header("Content-Security-Policy", &policy)
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
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>"));
        assert!(html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"));
    }
}
