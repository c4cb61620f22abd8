//! The acts that need a second operator, as plain values: this room does not know what they do.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An act that is proposed. Its form is stored: a member may be added with a default, and none is renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proposed {
    /// Register a bank, department, auditor or platform.
    RegisterClient {
        name: String,
        /// Its registration, as `access` reads it.
        client: Value,
    },
    /// Let a suspended client call again.
    ResumeClient { client: String, name: String },
    /// Put a run in force.
    PublishRun {
        run: String,
        kind: String,
        period: String,
        /// The run that is in force.
        former: Option<String>,
    },
    /// Create a key that signs immediately.
    RotateKey { purpose: String },
    /// Let the published next key sign.
    ActivateKey { purpose: String },
    /// Deliver to a paused platform again.
    ResumePlatform { platform: String },
    /// Deliver pages again that were given up.
    RedriveDead { platform: String },
    /// Create an operator with a privileged role.
    CreateOperator { name: String, roles: Vec<String> },
    /// Replace the roles of an operator, of which one is privileged.
    SetRoles {
        name: String,
        /// The roles at the time of the proposal: with others it is not executed.
        before: Vec<String>,
        roles: Vec<String>,
    },
    /// Let a suspended operator sign in again.
    ResumeOperator { name: String },
}

impl Proposed {
    /// The act as a word.
    pub const fn act(&self) -> &'static str {
        match self {
            Self::RegisterClient { .. } => "register_client",
            Self::ResumeClient { .. } => "resume_client",
            Self::PublishRun { .. } => "publish_run",
            Self::RotateKey { .. } => "rotate_key",
            Self::ActivateKey { .. } => "activate_key",
            Self::ResumePlatform { .. } => "resume_platform",
            Self::RedriveDead { .. } => "redrive_dead",
            Self::CreateOperator { .. } => "create_operator",
            Self::SetRoles { .. } => "set_roles",
            Self::ResumeOperator { .. } => "resume_operator",
        }
    }

    /// What the act is about.
    pub fn target(&self) -> &str {
        match self {
            Self::RegisterClient { name, .. }
            | Self::CreateOperator { name, .. }
            | Self::SetRoles { name, .. }
            | Self::ResumeOperator { name } => name,
            Self::ResumeClient { client, .. } => client,
            Self::PublishRun { run, .. } => run,
            Self::RotateKey { purpose } | Self::ActivateKey { purpose } => purpose,
            Self::ResumePlatform { platform } | Self::RedriveDead { platform } => platform,
        }
    }

    /// What will differ, one line each: `-` for what is no more, `+` for what will be.
    pub fn difference(&self) -> String {
        let mut lines = String::new();
        let mut line = |sign: char, text: &str| {
            // Infallible: writing to a String.
            let _ = writeln!(lines, "{sign} {text}");
        };
        match self {
            Self::RegisterClient { client, .. } => {
                for (member, value) in client.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
                    line('+', &format!("{member}: {}", text_of(value)));
                }
            }
            Self::ResumeClient { name, .. } => {
                line('-', &format!("{name} is suspended"));
                line('+', &format!("{name} may call and read"));
            }
            Self::PublishRun { run, kind, period, former } => {
                if let Some(former) = former {
                    line('-', &format!("banks read the grades of {former}"));
                }
                line('+', &format!("banks read the grades of {run} ({kind}, {period})"));
            }
            Self::RotateKey { purpose } => line('+', &format!("a new {purpose} key signs immediately")),
            Self::ActivateKey { purpose } => line('+', &format!("the published next {purpose} key signs")),
            Self::ResumePlatform { platform } => line('+', &format!("{platform} gets its packages again")),
            Self::RedriveDead { platform } => {
                line('+', &format!("pages for {platform} that were given up are delivered again"));
            }
            Self::CreateOperator { name, roles } => {
                for role in roles {
                    line('+', &format!("{name} is {role}"));
                }
            }
            Self::SetRoles { name, before, roles } => {
                let without = |all: &[String], other: &[String]| {
                    all.iter().filter(|role| !other.contains(role)).cloned().collect::<Vec<_>>()
                };
                for role in without(before, roles) {
                    line('-', &format!("{name} is {role}"));
                }
                for role in without(roles, before) {
                    line('+', &format!("{name} is {role}"));
                }
            }
            Self::ResumeOperator { name } => {
                line('-', &format!("{name} is suspended"));
                line('+', &format!("{name} may sign in"));
            }
        }
        lines
    }
}

/// A value for people: texts without quotes.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text_of).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_act_is_stored_under_its_word() {
        let acts = [
            Proposed::RegisterClient { name: "bank".into(), client: json!({ "name": "bank" }) },
            Proposed::ResumeClient { client: "cli_1".into(), name: "bank".into() },
            Proposed::PublishRun { run: "run_1".into(), kind: "doctor".into(), period: "2026-H1".into(), former: None },
            Proposed::RotateKey { purpose: "token_signing".into() },
            Proposed::ActivateKey { purpose: "token_signing".into() },
            Proposed::ResumePlatform { platform: "p".into() },
            Proposed::RedriveDead { platform: "p".into() },
            Proposed::CreateOperator { name: "lin".into(), roles: vec!["audit".into()] },
            Proposed::SetRoles { name: "lin".into(), before: vec![], roles: vec!["audit".into()] },
            Proposed::ResumeOperator { name: "lin".into() },
        ];
        for act in acts {
            let stored = serde_json::to_value(&act).unwrap();
            assert_eq!(stored["act"], act.act());
            assert_eq!(serde_json::from_value::<Proposed>(stored).unwrap(), act);
            assert!(!act.difference().is_empty() && !act.target().is_empty());
        }
    }

    #[test]
    fn the_difference_of_roles_shows_what_changes() {
        let roles = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let act = Proposed::SetRoles {
            name: "lin".into(),
            before: roles(&["read_only", "system"]),
            roles: roles(&["audit", "read_only"]),
        };
        assert_eq!(act.difference(), "- lin is system\n+ lin is audit\n");
    }
}
