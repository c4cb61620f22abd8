//! Made-up names. Every one begins with 合成, which means synthetic.

/// Words of two characters that names are made of.
const WORDS: [&str; 40] = [
    "康宁", "仁和", "济世", "百草", "同泽", "永安", "惠民", "春晖", "德馨", "广济", "和谐", "健安", "康泰", "乐康",
    "民生", "宁心", "平安", "普济", "清源", "仁济", "瑞康", "善康", "寿昌", "泰和", "天和", "同康", "万康", "温和",
    "祥安", "欣康", "信义", "杏林", "延年", "益寿", "友康", "愈安", "元康", "长青", "正和", "众康",
];

/// Ordinals as hospitals use them.
const ORDINALS: [&str; 12] =
    ["第一", "第二", "第三", "第四", "第五", "第六", "第七", "第八", "第九", "第十", "第十一", "第十二"];

/// The word for a number.
pub(super) fn word(nth: usize) -> &'static str {
    WORDS.get(nth % WORDS.len()).copied().unwrap_or("合成")
}

/// A name from a place, a word and a type of institution, with a number once all words are used.
pub(super) fn name(place: &str, nth: usize, what: &str) -> String {
    let place = short(place);
    match nth / WORDS.len() {
        0 => format!("合成{place}{}{what}", word(nth)),
        round => format!("合成{place}{}{what}{}部", word(nth), round + 1),
    }
}

/// The name of a people's hospital.
pub(super) fn hospital(place: &str, nth: usize) -> String {
    let place = short(place);
    match ORDINALS.get(nth) {
        Some(ordinal) => format!("合成{place}{ordinal}人民医院"),
        None => name(place, nth, "医院"),
    }
}

/// The name of a place without 区, 县 or 市: 鹿城 for 鹿城区.
fn short(place: &str) -> &str {
    place.strip_suffix(['区', '县', '市']).unwrap_or(place)
}
