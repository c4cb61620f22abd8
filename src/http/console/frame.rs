//! The frame of every page: who is signed in, the menu, the message of the last act, and how the page is shown.

use super::area::Area;
use crate::{
    http::web::{
        assets,
        flash::{Done, Flash},
        preferences::{Preferences, Theme},
    },
    i18n::{Lang, web::Texts},
};

/// The frame of a page.
#[derive(Debug, Clone)]
pub struct Frame {
    preferences: Preferences,
    /// The target of this page, to which a change of preferences returns.
    pub here: String,
    /// The key of the current area in the menu.
    current: &'static str,
    pub user: Option<User>,
    pub flash: Option<Message>,
}

/// The operator who is signed in.
#[derive(Debug, Clone)]
pub struct User {
    pub name: String,
    /// The token that forms send back.
    pub csrf: String,
    pub menu: Vec<Item>,
}

/// An entry of the menu.
#[derive(Debug, Clone)]
pub struct Item {
    pub key: &'static str,
    pub path: &'static str,
    pub text: &'static str,
    pub group: Option<&'static str>,
}

/// What the last act did.
#[derive(Debug, Clone)]
pub struct Message {
    pub text: &'static str,
    pub entry: Option<String>,
    /// Whether the reader may see the entry.
    pub linked: bool,
}

impl Frame {
    /// The frame for somebody who is not signed in.
    pub fn anonymous(preferences: Preferences, here: &str) -> Self {
        Self { preferences, here: here.to_owned(), current: "", user: None, flash: None }
    }

    /// The frame for an operator: the menu has what the roles allow.
    pub(super) fn of(preferences: Preferences, here: &str, name: &str, csrf: &str, areas: &[Area]) -> Self {
        let t = Texts(preferences.lang);
        // A heading stands above the first entry of its group that the reader sees.
        let mut waiting = None;
        let mut menu = Vec::new();
        for area in Area::ALL {
            waiting = area.group(t).or(waiting);
            if areas.contains(&area) {
                let group = waiting.take();
                menu.push(Item { key: area.key(), path: area.path(), text: area.text(t), group });
            }
        }
        let user = Some(User { name: name.to_owned(), csrf: csrf.to_owned(), menu });
        Self { user, ..Self::anonymous(preferences, here) }
    }

    /// Sets the current area.
    #[must_use]
    pub(super) const fn at(mut self, current: &'static str) -> Self {
        self.current = current;
        self
    }

    /// Shows what the last act did.
    #[must_use]
    pub(super) fn showing(mut self, flash: Option<Flash>, may_read_ledger: bool) -> Self {
        let t = Texts(self.preferences.lang);
        self.flash = flash.map(|flash| {
            let text = done_text(flash.done, t);
            Message { text, entry: flash.entry, linked: may_read_ledger }
        });
        self
    }

    /// The frame of samples, with every area in the menu.
    pub fn sample(preferences: Preferences, current: &'static str) -> Self {
        let flash = Flash { done: Done::BankSuspended, entry: Some("ent_06fz0000000000000000000000".into()) };
        Self::of(preferences, "/", "lin", "token", &Area::ALL).at(current).showing(Some(flash), true)
    }

    pub fn lang(&self) -> &'static str {
        self.preferences.lang.tag()
    }

    pub const fn large(&self) -> bool {
        self.preferences.large
    }

    /// The theme, unless the system decides.
    pub fn fixed_theme(&self) -> Option<&'static str> {
        Some(self.preferences.theme).filter(|theme| *theme != Theme::System).map(Theme::as_str)
    }

    pub fn stylesheet(&self) -> &'static str {
        assets::stylesheet()
    }

    pub fn is_current(&self, key: &str) -> bool {
        self.current == key
    }

    const fn other(&self) -> Lang {
        match self.preferences.lang {
            Lang::En => Lang::Zh,
            Lang::Zh => Lang::En,
        }
    }

    /// The word of the other language.
    pub const fn other_lang(&self) -> &'static str {
        self.other().as_str()
    }

    /// Its `lang` attribute.
    pub const fn other_tag(&self) -> &'static str {
        self.other().tag()
    }

    /// Its name, in itself.
    pub const fn other_name(&self) -> &'static str {
        match self.other() {
            Lang::En => "English",
            Lang::Zh => "中文",
        }
    }

    /// The themes that are not chosen, with their names.
    pub fn other_themes(&self) -> Vec<(&'static str, &'static str)> {
        let t = Texts(self.preferences.lang);
        let named =
            [(Theme::Light, t.light_colours()), (Theme::Dark, t.dark_colours()), (Theme::System, t.system_colours())];
        let others = named.into_iter().filter(|(theme, _)| *theme != self.preferences.theme);
        others.map(|(theme, text)| (theme.as_str(), text)).collect()
    }
}

const fn done_text(done: Done, t: Texts) -> &'static str {
    match done {
        Done::BankSuspended => t.done_bank_suspended(),
        Done::BankResumed => t.done_bank_resumed(),
        Done::CertificateRevoked => t.done_certificate_revoked(),
        Done::ConsentRevoked => t.done_consent_revoked(),
        Done::ConsentSuspended => t.done_consent_suspended(),
        Done::ConsentResumed => t.done_consent_resumed(),
        Done::PlatformPaused => t.done_platform_paused(),
        Done::PlatformResumed => t.done_platform_resumed(),
        Done::PageRedriven => t.done_page_redriven(),
        Done::SessionEnded => t.done_session_ended(),
        Done::SignedOut => t.done_signed_out(),
        Done::Enrolled => t.done_enrolled(),
        Done::Proposed => t.done_proposed(),
        Done::Approved => t.done_approved(),
        Done::Rejected => t.done_rejected(),
        Done::Withdrawn => t.done_withdrawn(),
    }
}
