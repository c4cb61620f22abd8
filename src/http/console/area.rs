//! The areas of the console: which roles see them, and which may act there.

use crate::{
    i18n::web::Texts,
    principals::{Role, Roles},
};

/// An area of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Overview,
    Banks,
    Consents,
    Subjects,
    Imports,
    Runs,
    Platforms,
    Ledger,
    Keys,
    Operators,
    Approvals,
    Settings,
}

impl Area {
    /// Every area, in the order of the menu.
    pub const ALL: [Self; 12] = [
        Self::Overview,
        Self::Banks,
        Self::Consents,
        Self::Subjects,
        Self::Imports,
        Self::Runs,
        Self::Platforms,
        Self::Ledger,
        Self::Approvals,
        Self::Operators,
        Self::Keys,
        Self::Settings,
    ];

    /// The key of the area in the menu.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Banks => "banks",
            Self::Consents => "consents",
            Self::Subjects => "subjects",
            Self::Imports => "imports",
            Self::Runs => "runs",
            Self::Platforms => "platforms",
            Self::Ledger => "ledger",
            Self::Keys => "keys",
            Self::Operators => "operators",
            Self::Approvals => "approvals",
            Self::Settings => "settings",
        }
    }

    /// The path of the area's first page.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Banks => "/banks",
            Self::Consents => "/consents",
            Self::Subjects => "/subjects",
            Self::Imports => "/imports",
            Self::Runs => "/runs",
            Self::Platforms => "/platforms",
            Self::Ledger => "/ledger",
            Self::Keys => "/keys",
            Self::Operators => "/operators",
            Self::Approvals => "/approvals",
            Self::Settings => "/settings",
        }
    }

    /// The area's name.
    pub const fn text(self, t: Texts) -> &'static str {
        match self {
            Self::Overview => t.nav_overview(),
            Self::Banks => t.nav_banks(),
            Self::Consents => t.nav_consents(),
            Self::Subjects => t.nav_subjects(),
            Self::Imports => t.nav_imports(),
            Self::Runs => t.nav_runs(),
            Self::Platforms => t.nav_platforms(),
            Self::Ledger => t.nav_ledger(),
            Self::Keys => t.nav_keys(),
            Self::Operators => t.nav_operators(),
            Self::Approvals => t.nav_approvals(),
            Self::Settings => t.nav_settings(),
        }
    }

    /// The heading above the area in the menu, where a group begins.
    pub(super) const fn group(self, t: Texts) -> Option<&'static str> {
        match self {
            Self::Banks => Some(t.group_business()),
            Self::Ledger => Some(t.group_security()),
            Self::Keys => Some(t.group_system()),
            _ => None,
        }
    }

    /// The roles that see the area.
    pub const fn readers(self) -> &'static [Role] {
        use Role::{Audit, ConsentOfficer, PushOfficer, ReadOnly, ScoringOfficer, Security, System};
        match self {
            Self::Overview => &[System, Security, Audit, ConsentOfficer, ScoringOfficer, PushOfficer, ReadOnly],
            Self::Banks => &[System, Security, Audit, ConsentOfficer, ReadOnly],
            Self::Consents => &[Security, Audit, ConsentOfficer, ReadOnly],
            // Data about persons: not for those who keep the machine.
            Self::Subjects => &[Audit, ConsentOfficer, ScoringOfficer],
            Self::Imports => &[System, Audit, ScoringOfficer, ReadOnly],
            Self::Runs => &[Audit, ScoringOfficer, PushOfficer, ReadOnly],
            Self::Platforms => &[System, Audit, PushOfficer, ReadOnly],
            Self::Ledger | Self::Operators => &[Security, Audit],
            Self::Keys => &[System, Security, Audit, ReadOnly],
            Self::Approvals => &[Security, Audit, ScoringOfficer, PushOfficer],
            Self::Settings => &[System, Security, Audit],
        }
    }

    /// Whether somebody with these roles sees the area.
    pub fn is_open_to(self, roles: &Roles) -> bool {
        self.readers().iter().any(|role| roles.has(*role))
    }
}

/// The name of a role.
pub const fn role_name(role: Role, t: Texts) -> &'static str {
    match role {
        Role::System => t.role_system(),
        Role::Security => t.role_security(),
        Role::Audit => t.role_audit(),
        Role::ConsentOfficer => t.role_consent_officer(),
        Role::ScoringOfficer => t.role_scoring_officer(),
        Role::PushOfficer => t.role_push_officer(),
        Role::ReadOnly => t.role_read_only(),
    }
}
