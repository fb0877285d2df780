//! The arguments of the command line.

/// How to run.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) long: bool,
    pub(crate) seed: u64,
    /// Only the sections of these faults.
    pub(crate) only: Vec<String>,
    /// Only this round of them.
    pub(crate) round: Option<u64>,
}

impl Arguments {
    /// `None` if `cargo test` asks for something that is not here.
    pub(crate) fn read() -> Result<Option<Self>, String> {
        let mut asked = Self {
            long: false,
            seed: crate::random::any_seed(),
            only: Vec::new(),
            round: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--long" => asked.long = true,
                "--seed" => asked.seed = number(&value()?)?,
                "--only" => asked.only.extend(value()?.split(',').map(str::to_owned)),
                "--round" => asked.round = Some(number(&value()?)?),
                "--list" => return Ok(None),
                // What the ordinary harness takes means nothing here.
                flag if flag.starts_with('-') => {}
                filter if !"torture".contains(filter) => return Ok(None),
                _ => {}
            }
        }
        Ok(Some(asked))
    }
}

fn number(text: &str) -> Result<u64, String> {
    let plain = text.parse().ok();
    let hex = || u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    plain
        .or_else(hex)
        .ok_or_else(|| format!("{text:?} is no number"))
}
