//! A page under construction: head, style sheet and content security policy that all pages share.

use std::fmt::{Arguments, Write};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;

use crate::{domain::html::escape, i18n::Lang};

const STYLE: &str = include_str!("style.css");

/// A page under construction.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// A page with its head, up to the beginning of its main part.
    pub(super) fn with_head(title: &str, lang: Lang) -> Self {
        // The policy allows this style sheet by its digest and nothing else: markup in a name could run no script.
        let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
        let mut page = Self::default();
        page.add(format_args!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">",
            lang.tag()
        ));
        page.add(format_args!("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"));
        page.add(format_args!(
            "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"robots\" content=\"noindex\">"
        ));
        page.add(format_args!(
            "<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<header>",
            escape(title)
        ));
        page
    }

    /// Adds a line.
    pub(super) fn add(&mut self, line: Arguments<'_>) {
        // Infallible: writing to a String.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    /// The finished page.
    pub(super) fn finish(mut self) -> String {
        self.add(format_args!("</main>\n</body>\n</html>"));
        self.0
    }
}

macro_rules! add {
    ($page:expr, $($line:tt)*) => { $page.add(format_args!($($line)*)) };
}
pub(super) use add;
