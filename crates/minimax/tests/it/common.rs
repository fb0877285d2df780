//! A provider of a dialect at a scripted server.

use llm_auth_minimax::{Dialect, Error, MiniMax, MiniMaxProvider, ProviderSpec as _, Region};
use llm_auth_testkit::{ScriptedServer, provider_at};

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

pub(crate) fn at(server: &ScriptedServer, dialect: Dialect) -> Result<MiniMaxProvider, Error> {
    provider_at(server, MiniMax::new(Region::Global, dialect).builder())
}

/// The rows of a table of responses: what each is read as, its status, its body.
pub(crate) fn rows(table: &str) -> impl Iterator<Item = (&str, u16, &str)> {
    table.lines().filter(|row| !row.is_empty()).map(|row| {
        let mut columns = row.splitn(3, ' ');
        let mut next = || columns.next().unwrap_or_default();
        (next(), next().parse().unwrap(), next())
    })
}
