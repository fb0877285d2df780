//! How a terminal becomes a picture.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vt100::{Cell, Color, Screen};

use crate::browser::tab::Tab;

/// Draws what a terminal shows, in a browser, since those draw text well.
pub(crate) fn of_terminal(name: &str, title: &str, screen: &Screen) {
    let Some(mut tab) = Tab::open(name) else {
        return;
    };
    let (rows, columns) = screen.size();
    let last = (0..rows).rev().find(|row| {
        !screen
            .contents_between(*row, 0, *row, columns)
            .trim()
            .is_empty()
    });
    let mut body = String::new();
    for row in 0..=last.unwrap_or(0) {
        body.push_str("<div class=row>");
        for column in 0..columns {
            body.push_str(&cell(screen.cell(row, column).unwrap()));
        }
        body.push_str("</div>");
    }
    let page = format!(
        "<!doctype html><meta charset=utf-8><style>
         body {{ margin: 0; padding: 24px; background: #e6e9ee; }}
         main {{ display: inline-block; background: #10151c; border-radius: 10px; overflow: hidden;
                 box-shadow: 0 8px 28px #0005; }}
         header {{ background: #222a35; color: #9da7b3; font: 13px/34px sans-serif; padding: 0 14px; }}
         header i {{ display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 7px;
                     vertical-align: -1px; background: #3b4552; }}
         header span {{ margin-left: 8px; }}
         pre {{ margin: 0; padding: 14px 16px; color: #dbe2ea; font: 15px/20px \"DejaVu Sans Mono\", monospace; }}
         .row {{ height: 20px; white-space: pre; }}
         .row b, .row i {{ display: inline-block; height: 20px; width: 1ch; vertical-align: top; }}
         .row i {{ font-style: normal; }}
         </style><main><header><i></i><i></i><i></i><span>{title}</span></header><pre>{body}</pre></main>"
    );
    tab.resize(1400, 1200);
    tab.go(&format!("data:text/html;base64,{}", STANDARD.encode(page)));
    let size = tab.value("JSON.stringify([document.querySelector('main').offsetWidth, document.querySelector('main').offsetHeight])");
    let [width, height]: [u32; 2] = serde_json::from_str(size.as_str().unwrap()).unwrap();
    tab.resize(width + 48, height + 48);
    tab.picture(name);
}

fn cell(cell: &Cell) -> String {
    let mut style = String::new();
    let (front, back) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
    let front = front.unwrap_or("#dbe2ea");
    if let Some(back) = back {
        style.push_str(&format!("background:{back};"));
    }
    if cell.bold() {
        style.push_str("font-weight:bold;color:#fff;");
    }
    if cell.fgcolor() != Color::Default {
        style.push_str(&format!("color:{front};"));
    }
    // Blocks are drawn, since letters leave seams between lines.
    let block = match cell.contents() {
        "█" => Some("100%,100%"),
        "▀" => Some("100%,50%"),
        "▄" => {
            return format!(
                "<b style=\"background:linear-gradient(to top,{front} 50%,{} 50%)\"></b>",
                back.unwrap_or("transparent")
            );
        }
        _ => None,
    };
    if let Some(block) = block {
        let share = block.split(',').next_back().unwrap();
        return format!(
            "<b style=\"background:linear-gradient({front} {share},{} {share})\"></b>",
            back.unwrap_or("transparent")
        );
    }
    let text = match cell.contents() {
        "" => " ".to_owned(),
        "<" => "&lt;".to_owned(),
        "&" => "&amp;".to_owned(),
        other => other.to_owned(),
    };
    format!("<i style=\"{style}\">{text}</i>")
}

fn colour(colour: Color) -> Option<&'static str> {
    match colour {
        Color::Default => None,
        Color::Idx(0) => Some("#000"),
        Color::Idx(1) => Some("#ff7b72"),
        Color::Idx(2) => Some("#7ee787"),
        Color::Idx(3) => Some("#f2cc60"),
        Color::Idx(6) => Some("#79c0ff"),
        Color::Idx(7 | 15) => Some("#fff"),
        other => panic!("no picture shows the colour {other:?} yet"),
    }
}
