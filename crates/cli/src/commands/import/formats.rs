//! Where each program keeps its session, and in which form.

use std::path::{Path, PathBuf};

use llm_auth::gemini::OAuthClient;
use llm_auth::minimax::Dialect;
use llm_auth_core::{OAuthToken, Secret, Timestamp};

use super::foreign::{Foreign, Members, cannot};
use super::source::Source;
use crate::error::Failure;
use crate::providers::{ProviderName, RegionName};
use crate::system::env;
use crate::system::files;

pub(super) fn find(
    source: Source,
    file: Option<&Path>,
    provider: Option<ProviderName>,
) -> Result<Foreign, Failure> {
    if provider.is_some() && source != Source::Gochat {
        return Err(Failure::Usage("--vendor applies to gochat only".into()));
    }
    let places = match (file, source) {
        (Some(file), _) => {
            files::check_path("--file", file)?;
            vec![file.to_owned()]
        }
        (None, Source::Gcloud) => vec![gcloud_place()?],
        (None, Source::GeminiCli) => {
            let home = env::path("GEMINI_CLI_HOME")?.map_or_else(home, Ok)?;
            vec![home.join(".gemini/oauth_creds.json")]
        }
        (None, Source::Gochat) => {
            return Err(Failure::Usage(
                "gochat's file has no fixed location: name it with --file".into(),
            ));
        }
        (None, Source::Mmx) => {
            let directory = directory("MMX_CONFIG_DIR", ".mmx")?;
            vec![
                directory.join("config.json"),
                directory.join("credentials.json"),
            ]
        }
        (None, Source::QwenCode) => vec![directory("QWEN_HOME", ".qwen")?.join("oauth_creds.json")],
    };
    for place in &places {
        let Some(members) = Members::read(place)? else {
            continue;
        };
        let found = match source {
            Source::Gcloud => gcloud(&members).map(Some),
            Source::GeminiCli => Ok(Some(gemini_cli(&members))),
            Source::Gochat => gochat(members, provider).map(Some),
            Source::Mmx => mmx(&members),
            Source::QwenCode => qwen_code(&members).map(Some),
        };
        if let Some(found) = found? {
            return Ok(found);
        }
    }
    if source == Source::GeminiCli && file.is_none() {
        encrypted(&places[0])?;
    }
    let names: Vec<String> = places
        .iter()
        .map(|place| place.display().to_string())
        .collect();
    Err(Failure::NotFound {
        message: format!(
            "{} is not signed in here: nothing in {}",
            source.title(),
            names.join(", ")
        ),
        advice: "sign in with `llm-auth login`, or name the file with --file".into(),
    })
}

/// QwenLM/qwen-code, `sharedTokenManager.ts`. It signs in with the client that we use too.
fn qwen_code(members: &Members) -> Result<Foreign, Failure> {
    let mut token = OAuthToken::new(
        members.secret("access_token")?,
        members.millis("expiry_date")?,
    );
    token.refresh = Some(members.secret("refresh_token")?);
    token.resource_url = members.printable("resource_url");
    Ok(Foreign {
        token: Some(token),
        ..Foreign::new(members.file(), ProviderName::QWEN)
    })
}

/// MiniMax-AI's mmx-cli: a member of its settings, in older versions a file of its own.
fn mmx(members: &Members) -> Result<Option<Foreign>, Failure> {
    let inside = members.inside("oauth");
    let oauth = match &inside {
        Some(oauth) => oauth,
        None if members.text("access_token").is_some() => members,
        // Settings with an API key.
        None => return Ok(None),
    };
    let at = oauth
        .text("expires_at")
        .and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let at = at.ok_or_else(|| oauth.lacks("expires_at"))?;
    let at = Timestamp::from_unix_millis(at.as_millisecond());
    let mut token = OAuthToken::new(oauth.secret("access_token")?, at);
    token.refresh = Some(oauth.secret("refresh_token")?);
    token.resource_url = oauth.printable("resource_url");
    let region = match oauth.text("region").as_deref() {
        None | Some("global") => RegionName::Global,
        Some("cn") => RegionName::Cn,
        Some(_) => return Err(oauth.lacks("region")),
    };
    Ok(Some(Foreign {
        token: Some(token),
        identity: oauth.printable("account"),
        region: Some(region),
        dialect: Dialect::Mmx,
        ..Foreign::new(members.file(), ProviderName::MINIMAX)
    }))
}

/// Our own form, which began as gochat's.
fn gochat(members: Members, provider: Option<ProviderName>) -> Result<Foreign, Failure> {
    let file = members.file().to_owned();
    let token: OAuthToken = serde_json::from_value(members.into_value())
        .map_err(|_quotes_the_file| cannot(&file, "is not a token file of gochat"))?;
    let said = token
        .metadata
        .provider
        .as_deref()
        .map(ProviderName::from_name);
    let provider = match (said, provider) {
        (Some(Some(said)), None) => said,
        (Some(Some(said)), Some(wanted)) if said == wanted => said,
        (None, Some(wanted)) => wanted,
        (None, None) => {
            return Err(Failure::Usage(
                "gochat's file does not record the provider: add --vendor".into(),
            ));
        }
        (Some(_), _) => return Err(cannot(&file, "belongs to another provider")),
    };
    let refusal = token
        .refresh
        .is_none()
        .then(|| "it has no refresh token, so it expires and cannot be refreshed".to_owned());
    Ok(Foreign {
        identity: token.metadata.identity.clone(),
        token: Some(token),
        rotates: provider.rotates_refresh_tokens(),
        refusal,
        ..Foreign::new(&file, provider)
    })
}

/// google-gemini/gemini-cli. Its refresh token works with Google's own client alone.
fn gemini_cli(members: &Members) -> Foreign {
    let beside = members.file().with_file_name("google_accounts.json");
    let accounts = Members::read(&beside).ok().flatten();
    let mut token = None;
    if let (Ok(access), Ok(at)) = (
        members.secret("access_token"),
        members.millis("expiry_date"),
    ) {
        token = Some(OAuthToken::new(access, at));
    }
    Foreign {
        token,
        identity: accounts.and_then(|accounts| accounts.printable("active")),
        rotates: false,
        refusal: Some(
            "it is bound to Google's own OAuth client, which no other program may use \
             (google-gemini/gemini-cli#25648)"
                .into(),
        ),
        ..Foreign::new(members.file(), ProviderName::GEMINI)
    }
}

/// What Gemini CLI keeps encrypted is its own.
fn encrypted(plain: &Path) -> Result<(), Failure> {
    let file = plain.with_file_name("gemini-credentials.json");
    if file.exists() {
        return Err(cannot(
            &file,
            "is encrypted, and only Gemini CLI can read it",
        ));
    }
    Ok(())
}

/// Application default credentials (google.aip.dev/auth/4110), those of a user only.
fn gcloud(members: &Members) -> Result<Foreign, Failure> {
    match members.text("type").as_deref() {
        Some("authorized_user") => {}
        Some(other @ ("service_account" | "external_account" | "impersonated_service_account")) => {
            let why =
                format!("contains credentials of type {other}, which are not a user's session");
            return Err(cannot(members.file(), &why));
        }
        _ => return Err(members.lacks("type")),
    }
    if let Some(other) = members.printable("universe_domain")
        && other != "googleapis.com"
    {
        let why = format!("is for {other}, which is not Google's cloud");
        return Err(cannot(members.file(), &why));
    }
    let id = members
        .text("client_id")
        .ok_or_else(|| members.lacks("client_id"))?;
    let client = OAuthClient::new(id, Some(members.secret("client_secret")?));
    // Over from the beginning: the first use refreshes it.
    let mut token = OAuthToken::new(Secret::default(), Timestamp::default());
    token.refresh = Some(members.secret("refresh_token")?);
    if let Some(project) = members.text("quota_project_id") {
        token
            .metadata
            .provider_data
            .insert("quota_project", project);
    }
    Ok(Foreign {
        token: Some(token),
        identity: members.printable("account"),
        rotates: false,
        client: Some(client),
        ..Foreign::new(members.file(), ProviderName::GEMINI)
    })
}

fn gcloud_place() -> Result<PathBuf, Failure> {
    if let Some(file) = env::path("GOOGLE_APPLICATION_CREDENTIALS")? {
        return Ok(file);
    }
    let directory = match (env::path("CLOUDSDK_CONFIG")?, env::path("APPDATA")?) {
        (Some(directory), _) => directory,
        (None, Some(roaming)) if cfg!(windows) => roaming.join("gcloud"),
        (None, _) => home()?.join(".config/gcloud"),
    };
    Ok(directory.join("application_default_credentials.json"))
}

fn directory(variable: &str, below_home: &str) -> Result<PathBuf, Failure> {
    match env::path(variable)? {
        Some(directory) => Ok(directory),
        None => Ok(home()?.join(below_home)),
    }
}

fn home() -> Result<PathBuf, Failure> {
    etcetera::home_dir().map_err(|_no_home| Failure::Config {
        message: "cannot find your home directory".into(),
        advice: "set HOME, or name the file with --file".into(),
    })
}
