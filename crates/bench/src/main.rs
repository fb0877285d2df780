//! `bench [section...] [--sessions=N]`: measures and prints Markdown. Progress goes to standard error.

use std::process::ExitCode;

use llm_auth_bench::{Result, facts, sections};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (flags, wanted): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|word| word.starts_with("--"));
    for flag in flags {
        let count = flag.strip_prefix("--sessions=");
        let count = count.ok_or_else(|| format!("no flag {flag:?}; there is --sessions=N"))?;
        sections::sessions::set_count(count.parse()?);
    }
    let known: Vec<&str> = sections::ALL.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("no section {unknown:?}; there are: {}", known.join(", ")).into());
    }
    println!("{}", facts::heading()?);
    for (name, measure) in sections::ALL {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            eprintln!("measuring: {name}");
            // One section that cannot run here does not take the others with it.
            match measure() {
                Ok(text) => println!("{text}"),
                Err(error) => println!("## {name}\n\nNot measured: {error}\n"),
            }
        }
    }
    Ok(())
}
