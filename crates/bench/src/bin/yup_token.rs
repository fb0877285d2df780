//! Prints yup-oauth2's token out of its file, refreshed if need be: `yup_token <file> <token URL>`.
//! With its default HTTPS client, as its documentation begins.

use std::pin::Pin;

use llm_auth_bench::Result;
use llm_auth_bench::peers::SCOPE;
use yup_oauth2::authenticator_delegate::InstalledFlowDelegate;
use yup_oauth2::{ApplicationSecret, InstalledFlowAuthenticator, InstalledFlowReturnMethod};

struct Refusing;

impl InstalledFlowDelegate for Refusing {
    fn present_user_url<'a>(
        &'a self,
        _url: &'a str,
        _need_code: bool,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<String, String>> + Send + 'a>> {
        Box::pin(async { Err("a person would have to sign in".into()) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("no file given")?;
    let secret = ApplicationSecret {
        client_id: "bench".into(),
        client_secret: "made-up".into(),
        token_uri: arguments.next().ok_or("no token URL given")?,
        ..ApplicationSecret::default()
    };
    let authenticator =
        InstalledFlowAuthenticator::builder(secret, InstalledFlowReturnMethod::Interactive)
            .persist_tokens_to_disk(file)
            .flow_delegate(Box::new(Refusing))
            .build()
            .await?;
    let token = authenticator.token(&[SCOPE]).await?;
    println!("{}", token.token().ok_or("no access token")?);
    Ok(())
}
