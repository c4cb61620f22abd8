//! What operators may do: roles, each for all regions or for some, and the roles that exclude each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{Malformed, Region, words::words},
    store::operators::RoleRow,
};

words! {
    /// What an operator may do.
    Role: "role" {
        /// Settings, listeners, imports' templates and the gateway's operation (系统管理员).
        System = "system",
        /// Operators, banks, certificates and keys (安全管理员).
        Security = "security",
        /// The ledger: search, proofs, verification; changes nothing (审计管理员).
        Audit = "audit",
        /// Consents of subjects.
        ConsentOfficer = "consent_officer",
        /// Imports, models, runs, objections and corrections.
        ScoringOfficer = "scoring_officer",
        /// Platforms and packages.
        PushOfficer = "push_officer",
        /// Reads what is not personal.
        ReadOnly = "read_only",
    }
}

/// 三员分立: nobody administers the system, its keys and its record together.
const EXCLUSIVE: [Role; 3] = [Role::System, Role::Security, Role::Audit];

/// The roles of an operator: at least one, and of system, security and audit at most one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeMap<Role, Option<BTreeSet<Region>>>);

impl Roles {
    /// Joins roles, each for some regions or, without any, for all.
    pub fn new(roles: impl IntoIterator<Item = (Role, Option<BTreeSet<Region>>)>) -> Result<Self, Malformed> {
        let mut joined = BTreeMap::new();
        for (role, regions) in roles {
            if regions.as_ref().is_some_and(BTreeSet::is_empty) {
                // An omitted list never means all.
                return Err(Malformed(format!("the role {role} has an empty list of regions")));
            }
            if joined.insert(role, regions).is_some() {
                return Err(Malformed(format!("the role {role} is given twice: join its regions with commas")));
            }
        }
        let exclusive: Vec<_> =
            EXCLUSIVE.into_iter().filter(|role| joined.contains_key(role)).map(Role::as_str).collect();
        if exclusive.len() > 1 {
            return Err(Malformed(format!(
                "{} exclude each other (三员分立): give them to different operators",
                exclusive.join(" and ")
            )));
        }
        if joined.is_empty() {
            return Err(Malformed("an operator has at least one role".into()));
        }
        Ok(Self(joined))
    }

    /// Reads roles as they are written at the command line: `push_officer` for all regions, or `push_officer:330302,330303`.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, Malformed> {
        Self::new(texts.iter().map(|text| one(text.as_ref())).collect::<Result<Vec<_>, _>>()?)
    }

    /// Whether the operator has a role, in whichever regions.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains_key(&role)
    }

    /// Whether the operator has a role for all regions, as acts on what belongs to none require.
    pub fn has_everywhere(&self, role: Role) -> bool {
        self.0.get(&role).is_some_and(Option::is_none)
    }

    /// The regions for which the operator has one of these roles; none for all.
    pub fn regions(&self, roles: &[Role]) -> Option<BTreeSet<Region>> {
        if roles.iter().any(|role| self.has_everywhere(*role)) {
            return None;
        }
        Some(roles.iter().filter_map(|role| self.0.get(role)).flatten().flatten().copied().collect())
    }

    /// Whether the operator has a role for a region, or for the city or province that it is part of.
    pub fn covers(&self, role: Role, region: Region) -> bool {
        self.0.get(&role).is_some_and(|regions| is_within(regions.as_ref(), region))
    }

    /// Whether one of them is system, security or audit.
    pub fn is_privileged(&self) -> bool {
        EXCLUSIVE.into_iter().any(|role| self.has(role))
    }

    /// Each role with its regions; none for all.
    pub fn iter(&self) -> impl Iterator<Item = (Role, Option<&BTreeSet<Region>>)> {
        self.0.iter().map(|(role, regions)| (*role, regions.as_ref()))
    }

    /// Each role as [`Self::parse`] reads it.
    pub fn texts(&self) -> Vec<String> {
        self.iter()
            .map(|(role, regions)| match regions {
                None => role.to_string(),
                Some(regions) => format!("{role}:{}", joined(regions, ",")),
            })
            .collect()
    }

    /// The roles as rows of an operator.
    pub(super) fn rows(&self, operator_id: &str) -> Vec<RoleRow> {
        self.iter()
            .map(|(role, regions)| RoleRow {
                operator_id: operator_id.to_owned(),
                role: role.to_string(),
                regions: regions.map(|regions| joined(regions, " ")),
            })
            .collect()
    }

    /// The roles of the rows of one operator.
    pub(super) fn of_rows<'a>(rows: impl IntoIterator<Item = &'a RoleRow>) -> Result<Self, Malformed> {
        let role = |row: &RoleRow| {
            let regions = row.regions.as_deref().map(|regions| regions.split(' ').map(str::parse).collect());
            Ok::<_, Malformed>((row.role.parse()?, regions.transpose()?))
        };
        Self::new(rows.into_iter().map(role).collect::<Result<Vec<_>, _>>()?)
    }
}

/// Whether a list of regions, none for all, has a region or what it is part of.
pub(super) fn is_within(regions: Option<&BTreeSet<Region>>, region: Region) -> bool {
    regions.is_none_or(|regions| regions.iter().any(|own| own.covers(region)))
}

fn joined(regions: &BTreeSet<Region>, by: &str) -> String {
    regions.iter().map(Region::as_str).collect::<Vec<_>>().join(by)
}

fn one(text: &str) -> Result<(Role, Option<BTreeSet<Region>>), Malformed> {
    let Some((role, regions)) = text.split_once(':') else { return Ok((text.parse()?, None)) };
    let regions = regions.split(',').map(|region| region.trim().parse()).collect::<Result<_, _>>()?;
    Ok((role.parse()?, Some(regions)))
}

/// A role as a type, for evidence that an operator has it.
pub trait RoleMarker {
    /// The role.
    const ROLE: Role;
}

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident = $role:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl RoleMarker for $name {
            const ROLE: Role = Role::$role;
        }
    )+};
}

markers! {
    /// [`Role::System`] as a type.
    SystemOfficer = System;
    /// [`Role::Security`] as a type.
    SecurityOfficer = Security;
    /// [`Role::Audit`] as a type.
    Auditor = Audit;
    /// [`Role::ConsentOfficer`] as a type.
    ConsentOfficer = ConsentOfficer;
    /// [`Role::ScoringOfficer`] as a type.
    ScoringOfficer = ScoringOfficer;
    /// [`Role::PushOfficer`] as a type.
    PushOfficer = PushOfficer;
    /// [`Role::ReadOnly`] as a type.
    Reader = ReadOnly;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    #[test]
    fn system_security_and_audit_exclude_each_other() {
        for (one, other) in [("system", "security"), ("system", "audit"), ("security", "audit")] {
            let error = Roles::parse(&[one, other]).unwrap_err().0;
            assert!(error.contains(one) && error.contains(other), "{error}");
            assert!(Roles::parse(&[one, "read_only", "push_officer"]).is_ok());
        }
    }

    #[test]
    fn a_role_is_given_once_and_never_for_an_empty_list() {
        let none: [&str; 0] = [];
        assert!(Roles::parse(&none).is_err());
        assert!(Roles::parse(&["read_only", "read_only:330302"]).is_err());
        for text in ["read_only:", "read_only:33030", "reader", "", "read_only:330302,"] {
            assert!(Roles::parse(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_role_covers_the_regions_below_its_own() {
        let roles = Roles::parse(&["push_officer:330300, 330402", "read_only"]).unwrap();
        assert!(roles.covers(Role::PushOfficer, region("330302")), "a district of the city");
        assert!(roles.covers(Role::PushOfficer, region("330402")));
        assert!(
            !roles.covers(Role::PushOfficer, region("330403")) && !roles.covers(Role::PushOfficer, region("330000"))
        );
        assert!(roles.covers(Role::ReadOnly, region("110101")) && !roles.covers(Role::System, region("330302")));
        assert!(roles.has_everywhere(Role::ReadOnly) && !roles.has_everywhere(Role::PushOfficer));
        assert_eq!(roles.regions(&[Role::PushOfficer, Role::ReadOnly]), None);
        assert_eq!(roles.regions(&[Role::PushOfficer]).unwrap().len(), 2);
        assert_eq!(roles.regions(&[Role::System]), Some(BTreeSet::new()), "without the role no region, not all");
    }

    #[test]
    fn roles_are_read_from_their_texts_and_rows() {
        let roles = Roles::parse(&["read_only", "consent_officer:330303,330302"]).unwrap();
        assert_eq!(roles.texts(), ["consent_officer:330302,330303", "read_only"]);
        assert_eq!(Roles::parse(&roles.texts()).unwrap(), roles);
        assert_eq!(Roles::of_rows(&roles.rows("opr_1")).unwrap(), roles);
    }
}
