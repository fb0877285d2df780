//! OpenRouter against the table of responses and a strict simulated server.

use llm_auth_openrouter::{
    AuthProvider as _, LoginEvent, OpenRouter, OpenRouterProvider, ProviderSpec as _, Secret,
    UserPrompt, async_trait,
};
use llm_auth_testkit::{Approval, Conformance, Failures, Testkit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

#[tokio::test]
async fn openrouter_conforms() -> Result<(), Failures> {
    let conformance = Conformance::of(OpenRouterProvider::builder());
    conformance
        .without_refresh_tokens()
        .wire_cases(17)
        .check()
        .await
}

/// A user who opens the page on another computer, and pastes the code that it shows.
#[derive(Debug)]
struct Far(watch::Sender<String>);

#[async_trait]
impl UserPrompt for Far {
    fn notify(&self, event: &LoginEvent<'_>) {
        if let LoginEvent::AuthorizationUrl { url, .. } = event {
            self.0.send_replace((*url).to_owned());
        }
    }

    async fn pasted(&self) -> Secret {
        let mut urls = self.0.subscribe();
        let url = urls.wait_for(|url| !url.is_empty()).await;
        let url = url.map(|url| url.clone()).unwrap_or_default();
        let code = shown_code(&url).await;
        // Only once: what follows is no answer.
        self.0.send_replace(String::new());
        code.unwrap_or_default().into()
    }
}

async fn shown_code(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let (host, target) = rest.split_once('/')?;
    let mut stream = TcpStream::connect(host).await.ok()?;
    let request = format!("GET /{target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.ok()?;
    let (_, shown) = page.split_once("your program: ")?;
    Some(shown.split('<').next()?.to_owned())
}

#[tokio::test]
async fn a_code_that_the_page_shows_is_pasted_and_no_address_is_sent() {
    let kit = Testkit::builder().approval(Approval::Auto).start().await;
    let kit = kit.expect("a simulated server");
    let openrouter = OpenRouter::default().key_label("My agent").shows_code();
    let provider = openrouter.builder().base_url(kit.base_url());
    let provider = provider.expect("a base URL").build();
    let (sender, urls) = watch::channel(String::new());
    let session = provider
        .authenticate(&Far(sender))
        .await
        .expect("a session");
    assert!(kit.openrouter().is_live_access(session.access.expose()));
    assert_eq!((session.expires_at, session.refresh), (None, None));
    assert_eq!(kit.openrouter().violations(), Vec::<String>::new());
    drop(urls);
}
