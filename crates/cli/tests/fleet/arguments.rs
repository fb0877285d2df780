//! The arguments of the command line.

use crate::database::Engine;

/// How to run.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) engines: Vec<Engine>,
    pub(crate) rounds: u64,
    pub(crate) seed: u64,
    /// Only this round, as often as there would be rounds.
    pub(crate) round: Option<u64>,
}

impl Arguments {
    /// `None` if `cargo test` asks for something that is not here.
    pub(crate) fn read() -> Result<Option<Self>, String> {
        let mut asked = Self {
            engines: vec![Engine::Postgres, Engine::Redis],
            rounds: 10,
            seed: crate::random::any_seed(),
            round: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--engine" => asked.engines = vec![Engine::named(&value()?)?],
                "--rounds" => asked.rounds = number(&value()?)?,
                "--seed" => asked.seed = number(&value()?)?,
                "--round" => asked.round = Some(number(&value()?)?),
                "--list" => return Ok(None),
                // What the ordinary harness takes means nothing here.
                flag if flag.starts_with('-') => {}
                filter if !"fleet".contains(filter) => return Ok(None),
                _ => {}
            }
        }
        Ok(Some(asked))
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_error| format!("{text:?} is no number"))
}
