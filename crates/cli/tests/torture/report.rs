//! The table that is printed at the end.

use crate::runner::Score;
use crate::sections::Section;

/// One row for each section that was run: fault, tries, what came of them, losses.
pub(crate) fn print(sections: &[Section], scores: &[Score]) {
    println!("\n| fault | how | tries | what came of it | lost | impossible | allowed (N5) | s |");
    println!("| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |");
    for (section, score) in sections.iter().zip(scores) {
        let tally = &score.tally;
        if let Some(why) = &score.skipped {
            println!(
                "| {} | {} | - | SKIPPED: {why} | - | - | - | - |",
                section.fault, section.what
            );
            continue;
        }
        if tally.tries == 0 && score.lost + score.broken == 0 {
            continue;
        }
        let outcomes = tally.outcomes.iter();
        let mut outcomes: Vec<String> = outcomes
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        if score.broken > 0 {
            outcomes.push(format!("{} BROKEN", score.broken));
        }
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} |",
            section.fault,
            section.what,
            tally.tries,
            outcomes.join(", "),
            score.lost,
            tally.impossible,
            tally.allowed,
            score.took.as_secs_f32()
        );
    }
}
