//! The question which provider a user signs in to.

use std::io::{self, IsTerminal as _};

use crate::error::Failure;
use crate::providers::ProviderName;
use crate::ui::streams::say;

/// The provider that the user chooses; a script has to name it.
pub(super) fn ask() -> Result<ProviderName, Failure> {
    let providers = ProviderName::all().iter().copied();
    let providers: Vec<_> = providers
        .filter(|provider| provider.check_hand_out().is_ok())
        .collect();
    let names: Vec<&str> = providers.iter().map(|provider| provider.name()).collect();
    let names = names.join(", ");
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(format!("name a provider: {names}")));
    }
    say("Which provider do you want to sign in to?\n");
    for (at, provider) in providers.iter().enumerate() {
        say(&format!("  {}  {}", at + 1, provider.name()));
    }
    say("\nEnter its number or name:");
    let mut answer = String::new();
    let _ended = io::stdin().read_line(&mut answer);
    chosen(answer.trim(), &providers)
        .ok_or_else(|| Failure::Usage(format!("not a provider; expected one of {names}")))
}

fn chosen(answer: &str, providers: &[ProviderName]) -> Option<ProviderName> {
    let by_number = answer.parse::<usize>().ok();
    let by_number = by_number.and_then(|number| providers.get(number.checked_sub(1)?));
    by_number
        .copied()
        .or_else(|| ProviderName::from_name(&answer.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_chosen_by_number_or_name() {
        let providers = ProviderName::all();
        let one_too_many = (providers.len() + 1).to_string();
        for (answer, name) in [
            ("1", Some("qwen")),
            ("3", Some("gemini")),
            ("MiniMax", Some("minimax")),
            ("0", None),
            (&*one_too_many, None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(
                chosen(answer, providers).map(ProviderName::name),
                name,
                "{answer}"
            );
        }
    }
}
