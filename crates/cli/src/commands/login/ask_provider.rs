//! Asking a person which vendor is meant.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum as _;

use crate::error::Failure;
use crate::providers::Vendor;
use crate::ui::streams::say;

/// The vendor that the person chooses; a script has to name it.
pub(super) fn ask() -> Result<Vendor, Failure> {
    let vendors = Vendor::value_variants();
    let names: Vec<&str> = vendors.iter().map(|vendor| vendor.name()).collect();
    let names = names.join(", ");
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(format!("name a vendor: {names}")));
    }
    say("Sign in to which vendor?\n");
    for (at, vendor) in vendors.iter().enumerate() {
        say(&format!("  {}  {}", at + 1, vendor.name()));
    }
    say("\nIts number or name, then Enter:");
    let mut answer = String::new();
    let _ended = io::stdin().read_line(&mut answer);
    chosen(answer.trim(), vendors)
        .ok_or_else(|| Failure::Usage(format!("that is no vendor; there are {names}")))
}

fn chosen(answer: &str, vendors: &[Vendor]) -> Option<Vendor> {
    let by_number = answer.parse::<usize>().ok();
    let by_number = by_number.and_then(|number| vendors.get(number.checked_sub(1)?));
    by_number
        .copied()
        .or_else(|| Vendor::named(&answer.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_chosen_by_number_or_name() {
        let vendors = Vendor::value_variants();
        for (answer, name) in [
            ("1", Some("qwen")),
            ("3", Some("gemini")),
            ("MiniMax", Some("minimax")),
            ("0", None),
            ("4", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(chosen(answer, vendors).map(Vendor::name), name, "{answer}");
        }
    }
}
