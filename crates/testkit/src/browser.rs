//! A browser without a user: it requests a page and follows redirects.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// More redirects than any sign-in has.
const REDIRECTS: usize = 10;

/// No page of a sign-in is longer.
const LONGEST_PAGE: u64 = 1 << 20;

/// Requests a page by plain HTTP, follows redirects as a browser does, and returns the status of
/// the last page.
///
/// # Errors
///
/// If a server cannot be reached or its response is not HTTP, and for a URL that is not `http`.
pub async fn browse(url: &str) -> io::Result<u16> {
    let mut url = url.to_owned();
    for _ in 0..REDIRECTS {
        let (status, location) = get(&url).await?;
        match location {
            Some(location) if (300..400).contains(&status) => url = joined(&url, &location)?,
            _ => return Ok(status),
        }
    }
    Err(invalid("too many redirects"))
}

/// The status of one page, and its `Location`.
async fn get(url: &str) -> io::Result<(u16, Option<String>)> {
    let (authority, target) = split(url)?;
    let address = match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ => format!("{authority}:80"),
    };
    let mut stream = TcpStream::connect(&address).await?;
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: llm-auth-testkit-browser\r\n\
         Accept: text/html\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut page = Vec::new();
    stream.take(LONGEST_PAGE).read_to_end(&mut page).await?;
    let page = String::from_utf8_lossy(&page);
    let head = page.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let location = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_location = name.eq_ignore_ascii_case("location");
        is_location.then(|| value.trim().to_owned())
    });
    let status = status.ok_or_else(|| invalid("the response is not HTTP"))?;
    Ok((status, location))
}

/// The authority of a URL, and the path with its query.
fn split(url: &str) -> io::Result<(&str, String)> {
    let rest = url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| invalid("a browser of a test opens http URLs only"))?;
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((authority, format!("{slash}{target}")))
}

/// The URL of a `Location`: absolute, or a path of the same server.
fn joined(base: &str, location: &str) -> io::Result<String> {
    if !location.starts_with('/') {
        return Ok(location.to_owned());
    }
    let (authority, _) = split(base)?;
    Ok(format!("http://{authority}{location}"))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{ScriptedResponse, ScriptedServer};

    #[tokio::test]
    async fn redirects_are_followed_to_the_last_page() {
        let end = ScriptedServer::start([ScriptedResponse::json(404, "")])
            .await
            .unwrap();
        let there = format!("{}/there?code=1#fragment", end.base_url());
        let start = ScriptedServer::start([
            ScriptedResponse::json(302, "").header("Location", "/next"),
            ScriptedResponse::json(303, "").header("Location", there),
        ])
        .await
        .unwrap();
        let url = format!("{}?state=1", start.base_url());
        assert_eq!(browse(&url).await.unwrap(), 404);
        let targets = |server: &ScriptedServer| -> Vec<_> {
            let requests = server.requests().into_iter();
            requests.map(|request| request.target).collect()
        };
        assert_eq!(targets(&start), ["/?state=1", "/next"]);
        assert_eq!(targets(&end), ["/there?code=1"]);
    }

    #[tokio::test]
    async fn a_circle_of_redirects_and_another_scheme_are_errors() {
        let again = ScriptedResponse::json(302, "").header("Location", "/again");
        let server = ScriptedServer::start([again]).await.unwrap();
        let error = browse(server.base_url()).await.unwrap_err();
        assert_eq!(error.to_string(), "too many redirects");
        assert!(browse("https://127.0.0.1/").await.is_err());
    }
}
