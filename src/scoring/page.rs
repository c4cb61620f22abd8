//! A page of headings, paragraphs and tables, rendered as Markdown or as HTML.

use std::fmt::Write;

use crate::{domain::html::escape, i18n::Lang};

/// A page under construction.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
enum Block {
    Heading(u8, String),
    Paragraph(String),
    Table { head: Vec<&'static str>, rows: Vec<Vec<String>> },
}

impl Page {
    pub(super) fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.blocks.push(Block::Heading(level, text.into()));
    }

    pub(super) fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// A table; one without rows is left out.
    pub(super) fn table(&mut self, head: &[&'static str], rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            self.blocks.push(Block::Table { head: head.to_vec(), rows });
        }
    }

    /// The page as Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        // Infallible: writing to a String.
        for block in &self.blocks {
            if !out.is_empty() {
                out.push('\n');
            }
            match block {
                Block::Heading(level, text) => {
                    let _ = writeln!(out, "{} {text}", "#".repeat(usize::from(*level)));
                }
                Block::Paragraph(text) => {
                    let _ = writeln!(out, "{text}");
                }
                Block::Table { head, rows } => {
                    let _ = writeln!(out, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
                    for row in rows {
                        let cells: Vec<_> =
                            // A bar or a line break would end the cell.
                            row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
                        let _ = writeln!(out, "| {} |", cells.join(" | "));
                    }
                }
            }
        }
        out
    }

    /// The page as self-contained HTML: no script, no external style sheet, nothing fetched.
    pub(super) fn html(&self, title: &str, lang: Lang) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>",
            lang.tag(),
            escape(title)
        );
        for block in &self.blocks {
            let _ = match block {
                Block::Heading(level, text) => writeln!(out, "<h{level}>{}</h{level}>", escape(text)),
                Block::Paragraph(text) => writeln!(out, "<p>{}</p>", escape(text)),
                Block::Table { head, rows } => {
                    let head: Vec<String> = head.iter().map(|cell| escape(cell)).collect();
                    let _ =
                        writeln!(out, "<table>\n<thead><tr><th>{}</th></tr></thead>\n<tbody>", head.join("</th><th>"));
                    for row in rows {
                        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
                        let _ = writeln!(out, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
                    }
                    writeln!(out, "</tbody>\n</table>")
                }
            };
        }
        out.push_str("</body>\n</html>\n");
        out
    }
}

const STYLE: &str = "body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border: 1px solid #bbb; padding: .3em .6em; text-align: left; vertical-align: top; }
th { background: #f2f2f2; }";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_file_never_become_markup() {
        let mut page = Page::default();
        page.heading(1, "<script>");
        page.table(&["a"], vec![vec!["x | \"y\" & <b>".to_owned()]]);
        assert!(page.html("<t>", Lang::En).contains("<title>&lt;t&gt;</title>"));
        assert!(page.html("t", Lang::Zh).contains("<h1>&lt;script&gt;</h1>"));
        assert!(page.html("t", Lang::Zh).contains("<td>x | &quot;y&quot; &amp; &lt;b&gt;</td>"));
        assert!(page.markdown().contains("| x \\| \"y\" & <b> |"));
    }
}
