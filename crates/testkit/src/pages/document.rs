//! The pages a person sees: plain HTML without scripts or anything foreign.

mod words;

use hyper::Method;

use crate::http::response::{Answer, Judged};
use crate::oauth::authorization_code::Consent;
use crate::oauth::device_code::Decision;
use crate::provider::Vendor;
use crate::random;
use crate::server::dispatch::Call;
use crate::state::State;

pub(crate) use self::words::Tongue;

const STYLE: &str = include_str!("page.css");

/// A page with something to say.
pub(crate) fn message(tongue: Tongue, status: u16, title: &str, text: &str) -> Answer {
    let text = escape(tongue.say(text));
    document(tongue, status, title, &format!("<p>{text}</p>"), "'none'")
}

/// Google's consent page. It reloads, so that a decision made elsewhere takes the person along.
pub(crate) fn consent(tongue: Tongue, consent: &Consent) -> Answer {
    let asked = &consent.asked;
    let facts = [
        ("Client", asked.client_id.as_str()),
        ("Sends you back to", &asked.redirect_uri),
        ("Scope", &asked.scope),
        ("Request", &consent.id),
    ];
    let hidden = [("id", consent.id.as_str()), ("csrf", &consent.csrf)];
    let body = decision_form(tongue, "/o/oauth2/v2/auth", &facts, &hidden);
    // After the form the browser is redirected to a port nobody knows beforehand.
    let title = "Sign in to the simulated Google";
    document(tongue, 200, title, &body, "http:").header("Refresh", "3")
}

/// The page where a person approves a device flow of Qwen or MiniMax.
pub(crate) fn device_approval(vendor: Vendor, call: &Call<'_>, state: &mut State) -> Judged {
    let tongue = Tongue::of(call.request);
    let (title, path) = match vendor {
        Vendor::Qwen => ("Sign in to the simulated Qwen", "/authorize"),
        Vendor::MiniMax | Vendor::Gemini => {
            ("Sign in to the simulated MiniMax", "/oauth-authorize")
        }
    };
    let Some(user_code) = call.form.get("user_code") else {
        let body = format!(
            "<p>{}</p><form action=\"{path}\"><label for=\"code\">{}\
             <input id=\"code\" name=\"user_code\" autocomplete=\"off\" autocapitalize=\"characters\" \
             spellcheck=\"false\" required autofocus></label>\
             <button class=\"yes\">{}</button></form>",
            tongue.say("Enter the code that your program shows."),
            tongue.say("Code"),
            tongue.say("Continue"),
        );
        return Ok(document(tongue, 200, title, &body, "'self'"));
    };
    let Some(grant) = state.device_by_user_code(user_code) else {
        return Ok(message(tongue, 404, title, "This code is not known here."));
    };
    if grant.expired() {
        return Ok(message(tongue, 410, title, "This code has expired."));
    }
    if call.request.method == Method::POST {
        if call.form.get("csrf") != Some(&grant.csrf) {
            return Ok(message(
                tongue,
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
            tongue,
            200,
            "Approved",
            "You may close this page and go back to the terminal.",
        ),
        Decision::Denied => message(tongue, 200, "Denied", "Nothing was given away."),
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
            let form = decision_form(tongue, path, &facts, &hidden);
            document(tongue, 200, title, &form, "'self'")
        }
    })
}

fn decision_form(
    tongue: Tongue,
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
            let name = tongue.say(name);
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
        "<p>{}</p><dl>{facts}</dl><form method=\"post\" action=\"{action}\">{hidden}\
         <button class=\"yes\" name=\"decision\" value=\"approve\">{}</button>\
         <button name=\"decision\" value=\"deny\">{}</button></form>",
        tongue.say("A program asks to sign in as you. Approve only if you started it."),
        tongue.say("Approve"),
        tongue.say("Deny"),
    )
}

/// A whole page; `form_action` is where its forms may lead, in the words of the policy.
pub(crate) fn document(
    tongue: Tongue,
    status: u16,
    title: &str,
    body: &str,
    form_action: &str,
) -> Answer {
    let nonce = random::hex(16);
    let title = escape(tongue.say(title));
    let (tag, note) = (
        tongue.tag(),
        tongue.say("llm-auth-testkit: nothing here is real."),
    );
    let html = format!(
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>{title}</title>\
         <style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main>\
         <footer>{note}</footer></body></html>\n"
    );
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    Answer::html(status, html)
        .header("Content-Security-Policy", &policy)
        .header("Content-Language", tag)
        .header("Vary", "Accept-Language")
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
        let page = message(
            Tongue::English,
            400,
            "<b>",
            "\"><script>alert('x')</script>&",
        );
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>"));
        assert!(html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"));
    }
}
