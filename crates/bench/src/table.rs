//! Markdown.

/// One table under its heading, with the notes that a fair reader needs.
#[derive(Debug)]
pub struct Table {
    heading: String,
    rows: Vec<Vec<String>>,
    metadata: Vec<String>,
}

impl Table {
    pub fn new(heading: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Self {
            heading: heading.to_owned(),
            rows: vec![columns],
            metadata: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub fn note(&mut self, text: &str) {
        self.metadata.push(text.to_owned());
    }

    pub fn markdown(&self) -> String {
        let mut lines = vec![format!("## {}", self.heading), String::new()];
        for (at, row) in self.rows.iter().enumerate() {
            lines.push(format!("| {} |", row.join(" | ")));
            if at == 0 {
                lines.push(format!("|{}", " --- |".repeat(row.len())));
            }
        }
        lines.push(String::new());
        lines.extend(self.metadata.iter().map(|note| format!("{note}\n")));
        lines.join("\n")
    }
}
