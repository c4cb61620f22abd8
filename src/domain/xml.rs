//! Names and texts of XML 1.0.

/// Whether a text can be the name of an element: section 2.3, `Name`, without colons, which are for namespaces, and without the
/// reserved names.
pub fn is_xml_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start)
        && chars.all(|c| {
            is_name_start(c)
                || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
        })
        && !name.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("xml"))
}

const fn is_name_start(c: char) -> bool {
    matches!(
        c,
        'A'..='Z'
            | '_'
            | 'a'..='z'
            | '\u{c0}'..='\u{d6}'
            | '\u{d8}'..='\u{f6}'
            | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}'
            | '\u{37f}'..='\u{1fff}'
            | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}'
            | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}'
    )
}

/// Section 2.2, `Char`.
const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Writes a text as the content of an element or an attribute. The error is a character that XML does not allow, not even
/// escaped.
pub fn write_escaped(value: &str, in_attribute: bool, text: &mut String) -> Result<(), char> {
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            // Section 2.11: a reader turns a carriage return into a line feed, and section 3.3.3: in an attribute it turns tabs
            // and line feeds into spaces.
            '\r' => text.push_str("&#13;"),
            '\t' if in_attribute => text.push_str("&#9;"),
            '\n' if in_attribute => text.push_str("&#10;"),
            c if is_char(c) => text.push(c),
            c => return Err(c),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_elements_are_those_of_xml() {
        for name in ["主体名称", "a1.b-c", "_", "CF_WSH"] {
            assert!(is_xml_name(name), "{name}");
        }
        for name in ["", "1A", "a b", "a>", "a:b", "xmlA", "XML", "-a", "×"] {
            assert!(!is_xml_name(name), "{name}");
        }
    }

    #[test]
    fn texts_are_escaped_for_their_place() {
        let escaped = |value: &str, in_attribute| {
            let mut text = String::new();
            write_escaped(value, in_attribute, &mut text).map(|()| text)
        };
        assert_eq!(escaped("a & b <c> ]]>\r\n'\"", false).unwrap(), "a &amp; b &lt;c&gt; ]]&gt;&#13;\n'&quot;");
        assert_eq!(escaped("a\t\n", true).unwrap(), "a&#9;&#10;");
        for bad in ['\0', '\u{1}', '\u{fffe}'] {
            assert_eq!(escaped(&format!("a{bad}"), false), Err(bad));
        }
    }
}
