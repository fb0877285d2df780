//! The endpoints of each vendor, asked without any credential, and the clock by their answers.

use std::time::Duration;

use llm_auth_core::{Answer, Clock as _, Error, ErrorKind, Form, HttpClient, SystemClock};
use tokio::task::JoinSet;

use super::{Check, DoctorArgs, PATIENCE, Status};
use crate::environment::Variables;
use crate::exit::chain;
use crate::time::length;
use crate::vendor::endpoints::{self, Entry, Kind};
use crate::vendor::{Vendor, http_client};

/// A clock that is further off than this is worth a word; sessions make up for it.
const CLOCK_LIMIT: i64 = 30;

/// What asking one endpoint brought.
struct Asked {
    check: Check,
    /// How far the server's clock was ahead, in seconds.
    offset: Option<i64>,
}

pub(super) async fn checks(args: &DoctorArgs, vendors: &[Vendor]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut entries = Vec::new();
    for vendor in vendors {
        checks.push(
            Check::new("state_of_affairs", Status::Note, vendor.state_of_affairs()).of(*vendor),
        );
        match endpoints::of(*vendor, &args.provider) {
            Ok(found) => entries.extend(found.into_iter().map(|entry| (*vendor, entry))),
            Err(failure) => checks.push(Check::failed("endpoints", &failure).of(*vendor)),
        }
    }
    if args.offline {
        return checks;
    }
    // What is wrong with the client has been told by the checks of the network.
    let Ok(http) = http_client(Some(args.timeout.unwrap_or(PATIENCE))) else {
        return checks;
    };
    let asked = ask_all(&http, entries).await;
    let offsets: Vec<i64> = asked.iter().filter_map(|asked| asked.offset).collect();
    checks.extend(asked.into_iter().map(|asked| asked.check));
    checks.extend(clock(offsets));
    checks
}

/// All at once, told in the order in which they stand.
async fn ask_all(http: &HttpClient, entries: Vec<(Vendor, Entry)>) -> Vec<Asked> {
    let mut tasks = JoinSet::new();
    for (at, (vendor, entry)) in entries.into_iter().enumerate() {
        let http = http.clone();
        tasks.spawn(async move { (at, ask(&http, vendor, &entry).await) });
    }
    let mut asked = tasks.join_all().await;
    asked.sort_by_key(|(at, _)| *at);
    asked.into_iter().map(|(_, asked)| asked).collect()
}

async fn ask(http: &HttpClient, vendor: Vendor, entry: &Entry) -> Asked {
    let answer = match entry.kind {
        // Without a client id and a grant type every server refuses it.
        Kind::Form => http.post_form(&entry.endpoint, &Form::new(), &[]).await,
        Kind::Page | Kind::Resource => http.get(&entry.endpoint).await,
    };
    let offset = answer.as_ref().ok().and_then(|answer| {
        let ahead = answer.date()?.as_unix_millis() - SystemClock.now().as_unix_millis();
        Some(ahead / 1000)
    });
    let name = Variables::of(vendor.name()).name(entry.variable);
    let (status, code) = match &answer {
        Ok(answer) => (judge(entry, answer), Some(answer.status())),
        Err(error) => (judge_error(entry, &name, error), error.status()),
    };
    let Judgement {
        status,
        words,
        advice,
        moved_to,
    } = status;
    let url = entry.endpoint.as_str();
    let mut check = Check::new("endpoint", status, format!("{} {url} {words}", entry.name))
        .of(vendor)
        .fact("name", entry.name)
        .fact("endpoint", url)
        .fact("http_status", code);
    check.advice = advice;
    if let Some(place) = moved_to {
        check = check.fact("moved_to", place);
    }
    Asked { check, offset }
}

struct Judgement {
    status: Status,
    words: String,
    advice: Option<String>,
    moved_to: Option<String>,
}

impl Judgement {
    fn new(status: Status, words: impl Into<String>, advice: Option<&str>) -> Self {
        Self {
            status,
            words: words.into(),
            advice: advice.map(Into::into),
            moved_to: None,
        }
    }
}

const GONE: &str = "the vendor has taken it away or renamed it: look for a newer llm-auth";
const IN_BETWEEN: &str = "a network sign-in page, a firewall or a proxy answers in its place, or the \
                          site has moved: open the page in a browser on this network";

fn judge(entry: &Entry, answer: &Answer) -> Judgement {
    let status = answer.status();
    if answer.kind_of_status().is_some() {
        let advice = Some("try again later");
        return Judgement::new(
            Status::Warn,
            format!("is in trouble (status {status})"),
            advice,
        );
    }
    if answer.is_web_page() && entry.kind != Kind::Page {
        let words = format!("answers with a web page instead of JSON (status {status})");
        return Judgement::new(Status::Fail, words, Some(IN_BETWEEN));
    }
    match status {
        404 | 410 => Judgement::new(
            Status::Fail,
            format!("is not there (status {status})"),
            Some(GONE),
        ),
        _ if entry.kind == Kind::Page || answer.json().is_ok() || answer.is_empty() => {
            Judgement::new(Status::Ok, format!("answers (status {status})"), None)
        }
        _ => Judgement::new(
            Status::Warn,
            format!("answers something that is not JSON (status {status})"),
            None,
        ),
    }
}

fn judge_error(entry: &Entry, variable: &str, error: &Error) -> Judgement {
    if let Some(place) = error.moved_to() {
        let status = error.status().unwrap_or_default();
        return Judgement {
            status: Status::Fail,
            words: format!("has moved to {place} (status {status})"),
            advice: Some(format!(
                "if you trust that place, set {variable}={place}, or look for a newer llm-auth"
            )),
            moved_to: Some(place.to_owned()),
        };
    }
    // A page may lead on to another; only endpoints for credentials must not.
    if let (Kind::Page, Some(status @ (302 | 303))) = (entry.kind, error.status()) {
        return Judgement::new(Status::Ok, format!("answers (status {status})"), None);
    }
    let words = chain(error);
    let lower = words.to_ascii_lowercase();
    let advice = if lower.contains("proxy auth") || lower.contains("407") {
        "the proxy wants a user and a password: put them into its URL"
    } else if lower.contains("certificate") {
        "is the clock right? If a company's network opens TLS, name its authority's certificates \
         with LLM_AUTH_CA_FILE"
    } else if error.kind() == ErrorKind::Transient && error.status().is_some() {
        IN_BETWEEN
    } else {
        "is this computer online? Behind a proxy, set HTTPS_PROXY"
    };
    Judgement::new(
        Status::Fail,
        format!("cannot be used: {words}"),
        Some(advice),
    )
}

/// By the middle one of the servers' clocks.
fn clock(mut offsets: Vec<i64>) -> Option<Check> {
    offsets.sort_unstable();
    let offset = *offsets.get(offsets.len() / 2)?;
    let apart = length(Duration::from_secs(offset.unsigned_abs()));
    let check = if offset.abs() <= CLOCK_LIMIT {
        Check::new("clock", Status::Ok, "agrees with the vendors' clocks")
    } else {
        let way = if offset < 0 { "ahead of" } else { "behind" };
        Check::new(
            "clock",
            Status::Warn,
            format!("is {apart} {way} the vendors' clocks"),
        )
        .advice("set the clock of this computer; sessions make up for it, certificates may not")
    };
    Some(check.fact("offset_seconds", offset))
}
