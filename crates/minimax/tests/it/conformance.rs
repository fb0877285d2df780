//! MiniMax is a provider as every other, in each dialect.

use llm_auth_minimax::{Dialect, MiniMax, ProviderSpec as _, Region};
use llm_auth_testkit::{Conformance, Failures, WireCase};

#[tokio::test]
async fn each_dialect_conforms() -> Result<(), Failures> {
    // Together they are all lines of the table.
    for (region, dialect, lines) in [
        (Region::Global, Dialect::OpenClaw, 31),
        (Region::Cn, Dialect::Mmx, 0),
        (Region::Global, Dialect::MiniMaxCode, 8),
    ] {
        let provider = MiniMax::new(region, dialect).builder();
        let conformance = Conformance::of(provider).wire_cases(lines);
        let conformance = conformance.only_cases(move |case| dialect_of(case) == dialect);
        conformance.check().await?;
    }
    Ok(())
}

/// Lines that come from MiniMax Code are responses to MiniMax Code.
fn dialect_of(case: &WireCase) -> Dialect {
    match case.source.contains("mcode") || case.source.contains("oauth-core") {
        true => Dialect::MiniMaxCode,
        false => Dialect::OpenClaw,
    }
}
