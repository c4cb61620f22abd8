//! The URL of a platform, and those below it.

use std::net::IpAddr;

use reqwest::Url;

use super::{
    super::{Failed, FailureReason},
    networks::{AddressRefused, AllowedNetworks},
};

/// Why a URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// It is not a plain URL of HTTPS.
    #[error(
        "{0:?} is not of the form https://host[:port][/path]: write it without user, query, fragment and final slash"
    )]
    Form(String),
    /// Its host is an address outside the platform's networks.
    #[error(transparent)]
    Address(AddressRefused),
}

/// The URL of a platform.
#[derive(Debug, Clone)]
pub(super) struct BaseUrl(Url);

impl BaseUrl {
    pub(super) fn parse(text: &str, networks: &AllowedNetworks) -> Result<Self, UrlRefused> {
        let form = || UrlRefused::Form(text.to_owned());
        let url = Url::parse(text).map_err(|_| form())?;
        let is_plain = url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && !text.ends_with('/');
        let host = url.host_str().filter(|_| is_plain).ok_or_else(form)?;
        // Read by the URL's parser and not from the text, in which 0x7f.1 is an address too.
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            networks.admit(host, &[address]).map_err(UrlRefused::Address)?;
        }
        Ok(Self(url))
    }

    /// Host and port, for error texts.
    pub(super) fn authority(&self) -> &str {
        self.0.authority()
    }

    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The URL of a page.
    pub(super) fn page(&self, package: i64, page: u32) -> Result<Url, Failed> {
        self.below(&["packages", &package.to_string(), "pages", &page.to_string()], None)
    }

    /// The URL of the answers about the rows of a package.
    pub(super) fn receipts(&self, package: i64, after: Option<&str>) -> Result<Url, Failed> {
        self.below(&["packages", &package.to_string(), "receipts"], after)
    }

    /// The URL of the inventory.
    pub(super) fn records(&self, after: Option<&str>) -> Result<Url, Failed> {
        self.below(&["records"], after)
    }

    fn below(&self, parts: &[&str], after: Option<&str>) -> Result<Url, Failed> {
        let mut url = self.0.clone();
        let no_base = |()| Failed::permanent(FailureReason::Page, format!("{} has no path", self.0));
        // Without a path the URL has one empty segment, which would become a double slash.
        url.path_segments_mut().map_err(no_base)?.pop_if_empty().extend(parts);
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BaseUrl, UrlRefused> {
        BaseUrl::parse(text, &AllowedNetworks::new(vec!["10.0.0.0/8".parse().unwrap()]))
    }

    #[test]
    fn paths_are_below_the_platforms_own() {
        for (base, expected) in [
            ("https://platform.test", "https://platform.test/packages/7/pages/2"),
            ("https://10.1.2.3:8443/credit/in", "https://10.1.2.3:8443/credit/in/packages/7/pages/2"),
        ] {
            assert_eq!(parse(base).unwrap().page(7, 2).unwrap().as_str(), expected);
        }
        let base = parse("https://platform.test/in").unwrap();
        assert_eq!(base.receipts(7, None).unwrap().as_str(), "https://platform.test/in/packages/7/receipts");
        let after = base.records(Some("a&b=/c 1")).unwrap();
        assert_eq!(after.as_str(), "https://platform.test/in/records?after=a%26b%3D%2Fc+1");
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "http://platform.test",
            "https://user@platform.test",
            "https://:secret@platform.test",
            "https://platform.test/",
            "https://platform.test/in?x=1",
            "https://platform.test/in#x",
            "https://",
            "platform.test",
            "",
        ] {
            assert_eq!(parse(text).unwrap_err(), UrlRefused::Form(text.into()));
        }
    }

    #[test]
    fn an_address_in_the_url_is_checked_in_every_notation() {
        for host in ["127.0.0.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"] {
            let refused = parse(&format!("https://{host}/in")).unwrap_err();
            assert!(matches!(refused, UrlRefused::Address(_)), "{host}: {refused}");
        }
        parse("https://[::ffff:10.0.0.1]").unwrap();
    }
}
