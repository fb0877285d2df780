//! The endpoints of each provider, requested without any credential, and the clock by the
//! responses.

use std::time::Duration;

use llm_auth_core::provider::{Form, Response};
use llm_auth_core::{Clock as _, Error, ErrorKind, HttpClient, OAuthToken, SystemClock};
use tokio::task::JoinSet;

use super::args::DoctorArgs;
use super::check::{Check, Status};
use super::{sessions, variables};
use crate::error::chain;
use crate::providers::endpoints::{self, Entry, Kind};
use crate::providers::{ProviderArgs, ProviderName, http_client};
use crate::report::proxy_advice;
use crate::system::certificates;
use crate::system::env::{CA_FILE, Proxy};
use crate::time::length;

/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A clock that is further off than this is a warning; sessions compensate for it.
const CLOCK_LIMIT: i64 = 30;

/// Hosts that other programs use in place of a provider's: unconfirmed, so that only `doctor`
/// requests them. Sources: docs/providers/qwen.md.
const OTHER_HOSTS: [(&str, &str); 1] = [("qwen", "https://qwen.ai")];

/// An endpoint to be requested.
struct Wanted {
    provider: ProviderName,
    entry: Entry,
    /// It is not known to be the provider's, so that what is wrong with it is no failure.
    is_unconfirmed: bool,
}

/// What asking one endpoint brought.
struct Asked {
    check: Check,
    /// How far the server's clock was ahead, in seconds.
    offset: Option<i64>,
}

pub(super) async fn checks(args: &DoctorArgs, providers: &[ProviderName]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut entries = Vec::new();
    for provider in providers {
        checks.push(
            Check::new("state_of_affairs", Status::Note, provider.availability()).of(*provider),
        );
        checks.extend(client(*provider, &args.provider_args));
        match endpoints::of(*provider, &args.provider_args, &looked_at(args, *provider)) {
            Ok(found) => {
                // A flag for the region leaves the stored sessions out.
                if args.provider_args.region.is_none() {
                    checks.extend(variables::without_effect(*provider, &found));
                }
                let others = at_other_host(provider.name(), &found);
                let wanted = |is_unconfirmed| {
                    move |entry| Wanted {
                        provider: *provider,
                        entry,
                        is_unconfirmed,
                    }
                };
                entries.extend(found.into_iter().map(wanted(false)));
                entries.extend(others.into_iter().map(wanted(true)));
            }
            Err(failure) => checks.push(Check::failed("endpoints", &failure).of(*provider)),
        }
    }
    if args.offline {
        return checks;
    }
    let http = match http_client(Some(args.timeout.unwrap_or(PATIENCE))) {
        Ok(http) => http,
        // What is wrong with the proxy or the certificates has been told.
        Err(_told) => {
            let message = "not checked, because the network configuration is invalid";
            checks.push(Check::new("endpoints", Status::Fail, message));
            return checks;
        }
    };
    let asked = ask_all(&http, entries).await;
    let offsets: Vec<i64> = asked.iter().filter_map(|asked| asked.offset).collect();
    checks.extend(asked.into_iter().map(|asked| asked.check));
    checks.extend(clock(offsets));
    checks
}

/// The same endpoints at a host that other programs use, unless a variable says where they are.
fn at_other_host(provider: &str, entries: &[Entry]) -> Vec<Entry> {
    let Some((_, base)) = OTHER_HOSTS.iter().find(|(name, _)| *name == provider) else {
        return Vec::new();
    };
    let defaults = entries.iter().filter(|entry| entry.set_by.is_none());
    let moved = defaults.filter_map(|entry| {
        let endpoint = entry.endpoint.with_base(base).ok()?;
        Some(Entry {
            endpoint,
            ..entry.clone()
        })
    });
    moved.collect()
}

/// What a sign-in lacks; the checks of the endpoints report what cannot be used at all.
fn client(provider: ProviderName, args: &ProviderArgs) -> Option<Check> {
    let is_usable = provider.configure(args, None, None).is_ok();
    let failure = is_usable
        .then(|| provider.check_login(args).err())
        .flatten()?;
    let mut check = Check::failed("client", &failure).of(provider);
    // SessionStore that are there go on without.
    check.status = Status::Warn;
    Some(check)
}

/// The stored sessions, which may be of other regions than a new sign-in, unless a flag names one.
fn looked_at(args: &DoctorArgs, provider: ProviderName) -> Vec<OAuthToken> {
    if args.provider_args.region.is_some() {
        return Vec::new();
    }
    sessions::of(&args.selector, provider)
}

/// All at once, told in the order in which they stand.
async fn ask_all(http: &HttpClient, entries: Vec<Wanted>) -> Vec<Asked> {
    let mut tasks = JoinSet::new();
    for (at, wanted) in entries.into_iter().enumerate() {
        let http = http.clone();
        tasks.spawn(async move { (at, ask(&http, &wanted).await) });
    }
    let mut asked = tasks.join_all().await;
    asked.sort_by_key(|(at, _)| *at);
    asked.into_iter().map(|(_, asked)| asked).collect()
}

async fn ask(http: &HttpClient, wanted: &Wanted) -> Asked {
    let Wanted {
        provider,
        entry,
        is_unconfirmed,
    } = wanted;
    let answer = match entry.kind {
        // Without a client id and a grant type every server refuses it.
        Kind::Form => http.post_form(&entry.endpoint, &Form::new(), &[]).await,
        Kind::Page | Kind::Resource => http.get(&entry.endpoint).await,
    };
    let offset = answer.as_ref().ok().and_then(|answer| {
        let ahead = answer.date()?.as_unix_millis() - SystemClock.now().as_unix_millis();
        Some(ahead / 1000)
    });
    let variable = provider.variables().name(entry.variable);
    let (judgement, code) = match &answer {
        Ok(answer) => (judge(entry, answer), Some(answer.status())),
        Err(error) => (judge_error(entry, &variable, error), error.status()),
    };
    let url = entry.endpoint.as_str();
    let mut message = format!("{} {url} {}", entry.name, judgement.words);
    if let Some(variable) = &entry.set_by {
        message.push_str(&format!("; set by {variable}"));
    }
    if *is_unconfirmed {
        message.push_str("; unconfirmed: other programs use this host, llm-auth does not");
    }
    let status = match judgement.status {
        Status::Fail | Status::Warn if *is_unconfirmed => Status::Note,
        status => status,
    };
    let mut check = Check::new("endpoint", status, message)
        .of(*provider)
        .fact("name", entry.name.as_str())
        .fact("endpoint", url)
        .fact("http_status", code)
        .fact("set_by", entry.set_by.clone());
    check.advice = judgement.advice;
    if let Some(place) = judgement.moved_to {
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

const GONE: &str = "the provider removed or renamed it: look for a newer llm-auth";
const IN_BETWEEN: &str = "a network sign-in page, a firewall or a proxy responds instead, or the \
                          site has moved: open the page in a browser on this network";

fn judge(entry: &Entry, answer: &Response) -> Judgement {
    let status = answer.status();
    if answer.kind_of_status().is_some() {
        let advice = Some("try again later");
        return Judgement::new(
            Status::Warn,
            format!("returns a server error (HTTP {status})"),
            advice,
        );
    }
    if answer.is_web_page() && entry.kind != Kind::Page {
        let words = format!("responds with a web page instead of JSON (status {status})");
        return Judgement::new(Status::Fail, words, Some(IN_BETWEEN));
    }
    let told = |status, words: String, advice| Judgement::new(status, words, advice);
    let is_json = answer.json().is_ok();
    match status {
        404 | 410 => told(
            Status::Fail,
            format!("does not exist (status {status})"),
            Some(GONE),
        ),
        405 | 501 => told(
            Status::Fail,
            format!("does not accept this request (status {status})"),
            Some(GONE),
        ),
        407 => told(
            Status::Fail,
            "cannot be reached: the proxy requires authentication (status 407)".to_owned(),
            Some(&proxy_advice()),
        ),
        _ if entry.kind == Kind::Page || is_json => {
            told(Status::Ok, format!("responds (status {status})"), None)
        }
        // An API may refuse without a word.
        400..=499 if entry.kind == Kind::Resource => {
            told(Status::Ok, format!("responds (status {status})"), None)
        }
        _ => told(
            Status::Warn,
            format!("responds with something other than JSON (status {status})"),
            Some(IN_BETWEEN),
        ),
    }
}

fn judge_error(entry: &Entry, variable: &str, error: &Error) -> Judgement {
    let status = error.status().unwrap_or_default();
    // A page may lead on to another; only endpoints for credentials must not.
    if entry.kind == Kind::Page
        && let Some(there) = error.redirected_to()
    {
        return if there == entry.endpoint.host() {
            Judgement::new(Status::Ok, format!("responds (status {status})"), None)
        } else {
            let words = format!("redirects to {there} (status {status})");
            Judgement::new(Status::Warn, words, Some(IN_BETWEEN))
        };
    }
    if let Some(place) = error.moved_to() {
        return Judgement {
            status: Status::Fail,
            words: format!("has moved to {place} (status {status})"),
            advice: Some(format!(
                "if you trust that URL, set {variable}={place}, or look for a newer llm-auth"
            )),
            moved_to: Some(place.to_owned()),
        };
    }
    let words = chain(error) + &certificates::words(error).unwrap_or_default();
    let lower = words.to_ascii_lowercase();
    let proxy = Proxy::find().ok().flatten();
    let advice = if let Some(advice) = certificates::advice(error) {
        advice
    } else if error.is_about_proxy() {
        proxy_advice()
    } else if lower.contains("certificate") {
        format!(
            "check the clock. If your company's network inspects TLS, set {CA_FILE} to the \
             certificates of its authority"
        )
    } else if entry.endpoint.is_loopback() {
        // No network and no proxy is on the way.
        format!(
            "start the server at this address of this computer, or correct the address{}",
            match &entry.set_by {
                Some(variable) => format!(" in {variable}"),
                None => String::new(),
            }
        )
    } else if error.kind() == ErrorKind::Transient && error.status().is_some() {
        IN_BETWEEN.to_owned()
    } else if let Some(proxy) = proxy {
        format!(
            "check that the proxy {} (set by {}) is reachable",
            proxy.shown(),
            proxy.variable
        )
    } else {
        "check the network connection; behind a proxy, set HTTPS_PROXY".to_owned()
    };
    let words = format!("cannot be used: {words}");
    Judgement::new(Status::Fail, words, Some(&advice))
}

/// By the middle one of the servers' clocks.
fn clock(mut offsets: Vec<i64>) -> Option<Check> {
    offsets.sort_unstable();
    let offset = *offsets.get(offsets.len() / 2)?;
    let apart = length(Duration::from_secs(offset.unsigned_abs()));
    let check = if offset.abs() <= CLOCK_LIMIT {
        Check::new("clock", Status::Ok, "matches the providers' clocks")
    } else {
        let way = if offset < 0 { "ahead of" } else { "behind" };
        Check::new(
            "clock",
            Status::Warn,
            format!("is {apart} {way} the providers' clocks"),
        )
        .advice(
            "set the clock of this computer; sessions compensate for the difference, but \
             certificate checks may fail",
        )
    };
    Some(check.fact("offset_seconds", offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_host_of_qwen_is_requested_unless_a_variable_names_one() {
        let args = ProviderArgs::default();
        let found = endpoints::of(ProviderName::QWEN, &args, &[]).unwrap();
        let others = at_other_host("qwen", &found);
        let urls: Vec<_> = others.iter().map(|entry| entry.endpoint.as_str()).collect();
        assert!(
            urls.contains(&"https://qwen.ai/api/v1/oauth2/token"),
            "{urls:?}"
        );
        let mut set = found;
        for entry in &mut set {
            entry.set_by = Some("LLM_AUTH_QWEN_BASE_URL".into());
        }
        assert!(at_other_host("qwen", &set).is_empty());
        assert!(at_other_host("minimax", &[]).is_empty());
    }
}
