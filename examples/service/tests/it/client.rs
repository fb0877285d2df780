//! A browser: it keeps one cookie, and sends the forms of the pages that it gets.

use std::sync::LazyLock;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};

use crate::instance::{Instance, PUBLIC_URL};

#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    pub(crate) cookie: Option<String>,
}

/// A response, read whole.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) set_cookie: Option<String>,
    pub(crate) text: String,
}

impl Page {
    /// What is between the quotes after this text.
    pub(crate) fn after(&self, text: &str) -> Option<&str> {
        self.text.split(text).nth(1)?.split('"').next()
    }

    pub(crate) fn csrf(&self) -> String {
        self.after("name=\"csrf\" value=\"").unwrap().to_owned()
    }

    /// The path at the service that it redirects to.
    pub(crate) fn path(&self) -> &str {
        let location = self.location.as_deref().unwrap();
        location.strip_prefix(PUBLIC_URL).unwrap_or(location)
    }
}

impl Browser {
    pub(crate) fn new() -> Self {
        // One for all: each would read the certificates of the system. Without a pool, since a
        // connection belongs to the runtime of one test.
        static CLIENT: LazyLock<Client> = LazyLock::new(|| {
            drop(rustls::crypto::ring::default_provider().install_default());
            let client = Client::builder().redirect(Policy::none()).no_proxy();
            client.pool_max_idle_per_host(0).build().unwrap()
        });
        Self {
            client: CLIENT.clone(),
            cookie: None,
        }
    }

    /// Another tab of the same browser.
    pub(crate) fn like(browser: &Self) -> Self {
        Self {
            client: browser.client.clone(),
            cookie: browser.cookie.clone(),
        }
    }

    pub(crate) async fn get(&mut self, at: &Instance, path: &str) -> Page {
        self.send(self.client.get(format!("{}{path}", at.pages)))
            .await
            .unwrap()
    }

    /// A page of another server.
    pub(crate) async fn visit(&mut self, url: &str) -> Page {
        let own = self.cookie.take();
        let page = self.send(self.client.get(url)).await.unwrap();
        self.cookie = own;
        page
    }

    pub(crate) async fn post(&mut self, at: &Instance, path: &str, form: &str) -> Page {
        self.try_post(&at.pages, path, form).await.unwrap()
    }

    pub(crate) async fn try_post(
        &mut self,
        pages: &str,
        path: &str,
        form: &str,
    ) -> reqwest::Result<Page> {
        let request = self.client.post(format!("{pages}{path}"));
        let kind = "application/x-www-form-urlencoded";
        self.send(request.header(CONTENT_TYPE, kind).body(form.to_owned()))
            .await
    }

    async fn send(&mut self, request: RequestBuilder) -> reqwest::Result<Page> {
        let request = match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        };
        let response = request.send().await?;
        let header = |name| {
            let value = response.headers().get(name)?.to_str().unwrap();
            Some(value.to_owned())
        };
        let (location, set_cookie) = (header(LOCATION), header(SET_COOKIE));
        if let Some(cookie) = set_cookie
            .as_deref()
            .and_then(|cookie| cookie.split(';').next())
        {
            self.cookie = Some(cookie.to_owned());
        }
        Ok(Page {
            status: response.status().as_u16(),
            location,
            set_cookie,
            text: response.text().await?,
        })
    }

    /// Begins a code flow, and returns the address of the vendor's page.
    pub(crate) async fn begin_code(&mut self, at: &Instance) -> String {
        let csrf = self.get(at, "/").await.csrf();
        let begun = self
            .post(at, "/sign-in/code", &format!("csrf={csrf}"))
            .await;
        assert_eq!(begun.status, 303, "{begun:?}");
        begun.location.unwrap()
    }

    /// Approves a code flow at the vendor, which does so by itself; the callback's path.
    pub(crate) async fn approve(&mut self, url: &str) -> String {
        let approved = self.visit(url).await;
        assert_eq!(approved.status, 302, "{approved:?}");
        approved.path().to_owned()
    }

    /// Signs in with the code flow: it begins at one instance and ends at the other.
    pub(crate) async fn sign_in(&mut self, begin: &Instance, end: &Instance) {
        let url = self.begin_code(begin).await;
        let callback = self.approve(&url).await;
        let page = self.get(end, &callback).await;
        assert_eq!((page.status, page.path()), (303, "/"), "{page:?}");
    }
}
