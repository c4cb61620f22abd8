//! The party that makes a change, and the channel it uses: every change in the ledger names an [`Actor`].

use std::fmt;

use super::{Malformed, ids::ClientId, printable::first_unprintable, words::words};

words! {
    /// The channel by which an act reached the gateway.
    Channel: "channel" {
        /// The partner listener's API.
        Api = "api",
        /// `medcredit` on the gateway's own machine.
        CommandLine = "command_line",
        /// The administrators' console.
        Console = "console",
        /// The subjects' portal.
        Portal = "portal",
        /// A bureau's counter, on paper.
        Counter = "counter",
        /// The clock: an expiry or a schedule.
        Clock = "clock",
    }
}

/// The party behind an act.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A registered bank.
    Bank(ClientId),
    /// A registered department of the city.
    Department(ClientId),
    /// A platform that receives packages.
    Platform(ClientId),
    /// A person who administers the gateway, by name.
    Operator(String),
    /// A graded subject, by its code.
    Subject(String),
    /// The gateway itself.
    System,
}

/// A party together with its channel. Its text is `bank:cli_…`, `department:cli_…`, `platform:cli_…`,
/// `operator:NAME`, `subject:CODE` or `system`, which is what ledger entries commit to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    principal: Principal,
    channel: Channel,
}

/// The longest name of an operator, in characters.
const LONGEST_NAME: usize = 64;

impl Actor {
    /// A bank, over its API.
    pub const fn bank(client: ClientId) -> Self {
        Self { principal: Principal::Bank(client), channel: Channel::Api }
    }

    /// A department, over its API.
    pub const fn department(client: ClientId) -> Self {
        Self { principal: Principal::Department(client), channel: Channel::Api }
    }

    /// A platform, over its API.
    pub const fn platform(client: ClientId) -> Self {
        Self { principal: Principal::Platform(client), channel: Channel::Api }
    }

    /// A subject, at the portal.
    pub fn subject(code: &str) -> Self {
        Self { principal: Principal::Subject(code.to_owned()), channel: Channel::Portal }
    }

    /// The gateway itself, on a schedule.
    pub const fn system() -> Self {
        Self { principal: Principal::System, channel: Channel::Clock }
    }

    /// An operator. The ledger keeps the name for ever, so it has 1 to 64 characters, is trimmed, and contains no
    /// control or invisible characters: two names that look the same are the same.
    pub fn operator(name: &str, channel: Channel) -> Result<Self, Malformed> {
        let name = name.trim();
        let length = name.chars().count();
        if !(1..=LONGEST_NAME).contains(&length) {
            return Err(Malformed(format!(
                "an operator's name has 1 to {LONGEST_NAME} characters, and this one has {length}"
            )));
        }
        // The character is named by its number: printed it would not be seen.
        if let Some(bad) = first_unprintable(name) {
            return Err(Malformed(format!(
                "an operator's name contains U+{:04X}, a control or invisible character: type it again",
                u32::from(bad)
            )));
        }
        Ok(Self { principal: Principal::Operator(name.to_owned()), channel })
    }

    /// The name of an operator; the written form of anybody else.
    pub fn name(&self) -> String {
        match &self.principal {
            Principal::Operator(name) => name.clone(),
            _ => self.to_string(),
        }
    }

    /// The party.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The channel.
    pub const fn channel(&self) -> Channel {
        self.channel
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.principal {
            Principal::Bank(client) => write!(f, "bank:{client}"),
            Principal::Department(client) => write!(f, "department:{client}"),
            Principal::Platform(client) => write!(f, "platform:{client}"),
            Principal::Operator(name) => write!(f, "operator:{name}"),
            Principal::Subject(code) => write!(f, "subject:{code}"),
            Principal::System => f.write_str("system"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_written_by_name() {
        let actor = Actor::operator(" lin ", Channel::CommandLine).unwrap();
        assert_eq!(actor.to_string(), "operator:lin");
        assert_eq!(actor.channel().as_str(), "command_line");
    }

    #[test]
    fn a_name_that_cannot_be_read_is_refused() {
        let long = "x".repeat(65);
        for name in ["", "  ", "li\u{200b}n", "li\nn", "\u{202e}nil", long.as_str()] {
            assert!(Actor::operator(name, Channel::CommandLine).is_err(), "{name:?}");
        }
    }
}
