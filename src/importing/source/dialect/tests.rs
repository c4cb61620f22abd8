use super::*;

const HEADER: &str = "主体编码,开户行行号,银行账号,启用日期\n";

fn dialect(bytes: &[u8]) -> Result<Dialect, ImportError> {
    Dialect::of(bytes, true, Encoding::Detected, Template::Accounts)
}

fn encoding(bytes: &[u8]) -> TextEncoding {
    dialect(bytes).unwrap().encoding
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn a_byte_order_mark_wins_over_the_given_encoding_and_over_what_the_bytes_look_like() {
    let cases: [(&[u8], TextEncoding, usize); 4] = [
        (b"\xef\xbb\xbfa,b", TextEncoding::Utf8, 3),
        (b"\xff\xfea\0,\0", TextEncoding::Utf16Le, 2),
        (b"\xfe\xff\0a\0,", TextEncoding::Utf16Be, 2),
        (b"\x84\x31\x95\x33a,b", TextEncoding::Gb18030, 4),
    ];
    for (bytes, encoding, mark) in cases {
        for given in [Encoding::Detected, Encoding::Utf8, Encoding::Gb18030, Encoding::Utf16] {
            let found = Dialect::of(bytes, true, given, Template::Accounts).unwrap();
            assert_eq!((found.encoding, found.mark), (encoding, mark), "{given:?}");
        }
    }
}

#[test]
fn the_encoding_of_a_short_file_is_recognised() {
    for text in ["温州", "医院", "温州市医疗保障局", "鑫淼", "合成甲", "（合成）", "阿依古丽·买买提", "甲乙丙丁"]
    {
        assert_eq!(encoding(format!("a,{text},b\n").as_bytes()), TextEncoding::Utf8, "{text}");
        assert_eq!(encoding(format!("{HEADER}a,{text},b\n").as_bytes()), TextEncoding::Utf8, "{text}");
        // With its header, which is of the same encoding: the name alone may fit both.
        let with_header = gb18030(&format!("{HEADER}a,{text},b\n"));
        assert_eq!(encoding(&with_header), TextEncoding::Gb18030, "{text}");
        assert_eq!(encoding(&utf16(&format!("a,{text},b\n"), u16::to_le_bytes)), TextEncoding::Utf16Le, "{text}");
        assert_eq!(encoding(&utf16(&format!("a,{text},b\n"), u16::to_be_bytes)), TextEncoding::Utf16Be, "{text}");
    }
    assert_eq!(encoding(b"only,ascii\n"), TextEncoding::Utf8);
    // Among rows that can only be UTF-8, one that is not is a damaged row.
    assert_eq!(
        encoding("a,医保局,b\nc,".bytes().chain(*b"\xd2\xbd\n").collect::<Vec<_>>().as_slice()),
        TextEncoding::Utf8
    );
}

#[test]
fn what_fits_both_encodings_is_refused_with_the_question() {
    // 茅 in GB 18030 is é in UTF-8, and 医院 are two Cyrillic letters.
    for text in ["茅", "路", "茅路", "医院"] {
        let bytes = gb18030(&format!("a,{text},b\n"));
        assert!(std::str::from_utf8(&bytes).is_ok(), "{text}");
        let error = dialect(&bytes).unwrap_err();
        assert!(matches!(error, ImportError::EncodingUnclear), "{error}");
        assert!(error.to_string().contains("--encoding gb18030") && error.to_string().contains("--encoding utf-8"));
        let given = Dialect::of(&bytes, true, Encoding::Gb18030, Template::Accounts).unwrap();
        assert_eq!(given.encoding, TextEncoding::Gb18030);
    }
    // One row that fits only one of them is enough.
    assert_eq!(encoding(&gb18030("a,茅,b\nc,温州市,d\n")), TextEncoding::Gb18030);
}

#[test]
fn what_is_no_text_is_refused() {
    assert!(matches!(dialect(b"\0\0\0\0a"), Err(ImportError::NotText)));
    assert!(matches!(dialect(b"a,\xff\xff,b\n"), Err(ImportError::EncodingUnknown)));
}

#[test]
fn the_separator_is_the_one_that_divides_the_header() {
    for (separator, character) in Separator::ALL.into_iter().map(|one| (one, one.character().to_string())) {
        let text = format!("2026年3月，合成县；第1页,共2页\n{}", HEADER.replace(',', &character));
        let found = dialect(text.as_bytes()).unwrap();
        assert_eq!((found.separator, found.declared), (separator, false));
        let english = "subject_code,bank_code,account_number,valid_from_on\n".replace(',', &character);
        assert_eq!(dialect(english.as_bytes()).unwrap().separator, separator);
        let declared = format!("sep={character}\na{character}b\n");
        let found = dialect(declared.as_bytes()).unwrap();
        assert_eq!((found.separator, found.declared), (separator, true));
    }
    assert_eq!(dialect(b"a;b;c\n").unwrap().separator, Separator::Comma, "no header is known");
}
