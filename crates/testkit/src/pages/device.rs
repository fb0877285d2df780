//! The page where a user approves a device flow.

use hyper::Method;

use super::document::{decision_form, document, message};
use crate::http::{Call, Response};
use crate::oauth::Decision;
use crate::state::State;

pub(crate) fn device_approval(
    title: &str,
    path: &str,
    call: &Call<'_>,
    state: &mut State,
) -> Response {
    let Some(user_code) = call.form.get("user_code") else {
        return code_entry(title, path);
    };
    let Some(grant) = state.device_by_user_code(user_code) else {
        return message(404, title, "This code is not known here.");
    };
    if grant.expired() {
        return message(410, title, "This code has expired.");
    }
    if call.request.method == Method::POST {
        if call.form.get("csrf") != Some(&grant.csrf) {
            let text = "The form did not come from this page.";
            return message(403, "Refused", text);
        }
        grant.decide(match call.form.get("decision") {
            Some("approve") => Decision::Approved,
            _ => Decision::Denied,
        });
    }
    match grant.decision() {
        Decision::Approved => {
            let text = "You may close this page and go back to the terminal.";
            message(200, "Approved", text)
        }
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
            let form = decision_form(path, &facts, &hidden);
            document(200, title, &form, "'self'")
        }
    }
}

fn code_entry(title: &str, path: &str) -> Response {
    let body = format!(
        "<p>Enter the code that your program shows.</p>\
         <form action=\"{path}\"><label for=\"code\">Code\
         <input id=\"code\" name=\"user_code\" autocomplete=\"off\" autocapitalize=\"characters\" \
         spellcheck=\"false\" required autofocus></label>\
         <button class=\"yes\">Continue</button></form>"
    );
    document(200, title, &body, "'self'")
}
