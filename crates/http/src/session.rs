//! The session of a client: what is put on a request, and what a refusal leads to.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use llm_auth_core::{AuthManager, OAuthToken, Refusals, Result};

use crate::credential::Credential;
use crate::origin::named;
use crate::refusal::refuses;
use crate::request::HttpRequest;
use crate::response::HttpResponse;

/// What the requests of a client share.
pub(crate) struct Session {
    manager: AuthManager,
    /// Whether requests to other origins are sent, without the credential.
    passes_others: bool,
    /// The current token, ready for requests.
    known: ArcSwapOption<Known>,
    refusals: Refusals,
}

/// A token, and what is made of it once.
struct Known {
    token: Arc<OAuthToken>,
    credential: Credential,
}

/// A request that was sent with a credential.
pub(crate) struct Attempt<R> {
    session: Arc<Session>,
    known: Arc<Known>,
    /// The request without the credential, if it can be sent again.
    copy: Option<R>,
}

/// What to do with a response.
pub(crate) enum Next<R, W> {
    /// Return it.
    Return(W),
    /// Send this request instead.
    Send(R, Attempt<R>),
}

impl Session {
    pub(crate) fn new(manager: AuthManager) -> Self {
        Self {
            manager,
            passes_others: false,
            known: ArcSwapOption::empty(),
            refusals: Refusals::default(),
        }
    }

    /// The same session, which lets requests to other origins pass.
    pub(crate) fn passing_others(&self) -> Self {
        Self {
            passes_others: true,
            ..Self::new(self.manager.clone())
        }
    }

    /// Puts the credential on a request; `None` if the request goes to another origin and may.
    pub(crate) async fn begin<R: HttpRequest>(
        self: Arc<Self>,
        request: &mut R,
        copy: impl FnOnce(&R) -> Option<R>,
    ) -> Result<Option<Attempt<R>>> {
        let token = self.manager.token().await;
        if token.is_err() {
            // No longer needed, or no longer good.
            self.known.store(None);
        }
        let known = self.known(token?)?;
        let origin = &known.credential.origin;
        if self.passes_others && !request.target().is_some_and(|there| origin.is(there)) {
            return Ok(None);
        }
        let copy = copy(request);
        self.put(&known, request)?;
        Ok(Some(Attempt {
            session: self,
            known,
            copy,
        }))
    }

    fn put<R: HttpRequest>(&self, known: &Known, request: &mut R) -> Result<()> {
        let put = known.credential.put_on(request);
        put.map_err(|error| named(error, &self.manager))
    }

    fn known(&self, token: Arc<OAuthToken>) -> Result<Arc<Known>> {
        if let Some(known) = &*self.known.load()
            && Arc::ptr_eq(&known.token, &token)
        {
            return Ok(Arc::clone(known));
        }
        let made = Credential::new(&self.manager, &token);
        let credential = made.map_err(|error| named(error, &self.manager))?;
        let known = Arc::new(Known { token, credential });
        self.known.store(Some(Arc::clone(&known)));
        Ok(known)
    }

    /// Whether the API refuses the credential, and the response, whole.
    async fn look<P: HttpResponse>(&self, known: &Known, response: P) -> (bool, P::Whole) {
        let provider = self.manager.provider();
        refuses(provider, &known.credential.origin, response).await
    }
}

impl<R: HttpRequest> Attempt<R> {
    /// Looks at the response to the first request.
    pub(crate) async fn review<P: HttpResponse>(
        mut self,
        response: P,
    ) -> Result<Next<R, P::Whole>> {
        let (refused, response) = self.session.look(&self.known, response).await;
        let session = &self.session;
        if !refused {
            return Ok(Next::Return(response));
        }
        let refusals = &session.refusals;
        let fresh = refusals
            .retry_with(&session.manager, &self.known.token)
            .await;
        let Some(mut request) = self.copy.take() else {
            // Its failure is reported to the next request.
            drop(fresh);
            return Ok(Next::Return(response));
        };
        let Some(token) = fresh? else {
            return Ok(Next::Return(response));
        };
        let known = session.known(token)?;
        session.put(&known, &mut request)?;
        self.known = known;
        Ok(Next::Send(request, self))
    }

    /// Looks at the response to the second request, which is returned, whatever it says.
    pub(crate) async fn end<P: HttpResponse>(self, response: P) -> P::Whole {
        let (refused, response) = self.session.look(&self.known, response).await;
        if refused {
            self.session.refusals.refused_again(&self.known.token);
        }
        response
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("manager", &self.manager)
            .field("passes_others", &self.passes_others)
            .finish_non_exhaustive()
    }
}
