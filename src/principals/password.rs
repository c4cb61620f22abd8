//! What passwords operators may choose: NIST SP 800-63B section 3.1.1.2. Length counts and nothing is composed; what is easy to guess is
//! refused.

/// Why a password is refused. Its text is for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than 12 characters.
    #[error("Use at least {SHORTEST} characters. A few words that do not belong together are easy to remember.")]
    Short,
    /// More than 128 characters.
    #[error("Use at most {LONGEST} characters.")]
    Long,
    /// It contains the operator's name.
    #[error("Use a password that does not contain your name.")]
    Name,
    /// A part is repeated, or a keyboard's or alphabet's row is followed.
    #[error("Use a password that does not repeat itself or follow a row of letters, digits or keys.")]
    Pattern,
    /// It is one of the most used, or a word of this service with little beside it.
    #[error("Use a password that is harder to guess: this one is among the first that are tried.")]
    Common,
}

const SHORTEST: usize = 12;
const LONGEST: usize = 128;

/// The parts of the passwords that are used most, and the words of this service.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwerty",
    "1q2w3e4r",
    "1qaz2wsx",
    "3edc4rfv",
    "qazwsx",
    "iloveyou",
    "5201314",
    "1314520",
    "woaini",
    "letmein",
    "welcome",
    "admin",
    "administrator",
    "root",
    "operator",
    "security",
    "system",
    "secret",
    "changeme",
    "default",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "sunshine",
    "princess",
    "superman",
    "trustno1",
    "starwars",
    "medcredit",
    "gateway",
    "medical",
    "credit",
    "yibao",
    "yiliao",
    "xinyong",
    "zhongguo",
    "beijing",
    "wenzhou",
    "abc123",
    "a123456",
    "123456",
    "112233",
    "88888888",
];

/// Rows that are followed on a keyboard, and the alphabet.
const ROWS: &[&str] = &["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// Characters beside a common part that make it no longer common.
const BESIDE_COMMON: usize = 6;

/// Checks a password that an operator chooses.
pub(super) fn check(password: &str, name: &str) -> Result<(), PasswordFault> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(PasswordFault::Short);
    }
    if length > LONGEST {
        return Err(PasswordFault::Long);
    }
    let lower = password.to_lowercase();
    let name = name.to_lowercase();
    // A name of one or two letters is in many words.
    if name.chars().count() > 2 && lower.contains(&name) {
        return Err(PasswordFault::Name);
    }
    let characters: Vec<char> = lower.chars().collect();
    if repeats(&characters) || follows_rows(&characters) {
        return Err(PasswordFault::Pattern);
    }
    if is_common(&lower) {
        return Err(PasswordFault::Common);
    }
    Ok(())
}

/// Whether the text is one part of at most a third of its length, again and again, or has very few different characters.
fn repeats(text: &[char]) -> bool {
    let periodic = |period: usize| text.iter().zip(text.iter().skip(period)).all(|(one, other)| one == other);
    let mut different = text.to_vec();
    different.sort_unstable();
    different.dedup();
    different.len() < 5 || (1..=text.len() / 2).any(periodic)
}

/// Whether most steps from one character to the next follow a row, in either direction.
fn follows_rows(text: &[char]) -> bool {
    let neighbours = |pair: &[char]| {
        ROWS.iter().any(|row| {
            let mut ends = row.chars().zip(row.chars().skip(1));
            ends.any(|(one, next)| pair == [one, next] || pair == [next, one])
        })
    };
    let steps = text.windows(2).filter(|pair| neighbours(pair)).count();
    steps * 4 >= text.len() * 3
}

/// Whether little is left without the common parts, digits and signs.
fn is_common(lower: &str) -> bool {
    let mut rest = lower.to_owned();
    let mut found = false;
    for part in COMMON {
        found |= rest.contains(part);
        rest = rest.replace(part, "");
    }
    found && rest.chars().filter(|c| c.is_alphabetic()).count() < BESIDE_COMMON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_in_characters() {
        assert_eq!(check("correct hor", "lin"), Err(PasswordFault::Short));
        assert_eq!(check(&"天地玄黄宇宙洪荒日月盈".repeat(12), "lin"), Err(PasswordFault::Long));
        for password in
            ["correct horse battery", "天地玄黄宇宙洪荒日月盈昃", "k2#vB9!qLx0w", "kitchen gravel 47 sonnet"]
        {
            assert_eq!(check(password, "lin"), Ok(()), "{password}");
        }
    }

    #[test]
    fn the_operators_name_is_no_part_of_it() {
        assert_eq!(check("violet WangFang stone", "wangfang"), Err(PasswordFault::Name));
        assert_eq!(check("violet li stone harbour", "li"), Ok(()));
    }

    #[test]
    fn repetitions_and_rows_are_refused() {
        for password in [
            "aaaaaaaaaaaa",
            "abababababab",
            "hellohellohello",
            "tea-pottea-pot",
            "abcdefghijkl",
            "987654321098",
            "qwertyuiopas",
        ] {
            assert_eq!(check(password, "lin"), Err(PasswordFault::Pattern), "{password}");
        }
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for password in ["Password2026!", "MedCredit-2026", "admin@gateway1", "Woaini1314520", "1q2w3e4r5t6y"] {
            let refused = check(password, "lin");
            assert!(matches!(refused, Err(PasswordFault::Common | PasswordFault::Pattern)), "{password}: {refused:?}");
        }
    }
}
