//! The words of the templates: each in English, as it is stored, and in Chinese, as files of the bureau have it. Checks,
//! messages and the empty workbooks use the same lists.

/// A word that a column may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::importing) struct Word {
    /// The word as it is stored.
    pub(in crate::importing) id: &'static str,
    /// The Chinese word; the empty workbooks offer it.
    pub(in crate::importing) zh: &'static str,
    /// Other Chinese words for the same.
    pub(in crate::importing) also: &'static [&'static str],
}

const fn word(id: &'static str, zh: &'static str, also: &'static [&'static str]) -> Word {
    Word { id, zh, also }
}

/// 协议状态. A bare 解除 or 终止 is not among them: it does not say by whom.
pub(in crate::importing) const AGREEMENT_STATUS: &[Word] = &[
    word("active", "正常", &["履行中"]),
    word("ended_by_subject", "主动终止", &["主动解除", "自愿终止", "自愿解除"]),
    word("ended_by_bureau", "医保部门解除", &["医保局解除", "经办机构解除", "被解除"]),
    word("suspended", "暂停", &["中止", "暂停协议"]),
];

/// 许可状态.
pub(in crate::importing) const LICENCE_STATUS: &[Word] = &[
    word("active", "正常", &["有效"]),
    word("suspended", "暂停", &["暂停执业", "停业整顿"]),
    word("revoked", "吊销", &["已吊销", "撤销"]),
];

/// 证件类型: the types of the national table that have a usual name. Other types are written as their two digits.
pub(in crate::importing) const ID_TYPE: &[Word] = &[word("01", "居民身份证", &["身份证"])];

/// 是否主要执业机构.
pub(in crate::importing) const MAIN: &[Word] = &[word("0", "否", &[]), word("1", "是", &[])];

/// 失信程度.
pub(in crate::importing) const TIER: &[Word] = &[
    word("minor", "轻微", &["轻微失信"]),
    word("general", "一般", &["一般失信"]),
    word("serious", "严重", &["严重失信"]),
];

/// 状态 of an adverse fact.
pub(in crate::importing) const ADVERSE_STATUS: &[Word] = &[
    word("effective", "有效", &["生效"]),
    word("repaired", "已修复", &["修复"]),
    word("withdrawn", "已撤销", &["撤销", "已撤回"]),
];

/// 险种.
pub(in crate::importing) const INSURANCE: &[Word] = &[
    word("employee", "职工", &["职工医保", "职工基本医疗保险"]),
    word("resident", "居民", &["居民医保", "城乡居民", "城乡居民医保", "城乡居民基本医疗保险"]),
];

/// 状态 of a settlement month.
pub(in crate::importing) const SETTLEMENT_STATUS: &[Word] =
    &[word("provisional", "暂定", &["未清算"]), word("final", "已清算", &["清算"])];

/// The stored word for a text in Chinese.
pub(in crate::importing) fn stored(words: &[Word], text: &str) -> Option<&'static str> {
    words.iter().find(|word| word.zh == text || word.also.contains(&text)).map(|word| word.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settlement::{Insurance, SettlementStatus};

    #[test]
    fn no_chinese_word_has_two_meanings_in_a_column() {
        let lists =
            [AGREEMENT_STATUS, LICENCE_STATUS, ID_TYPE, MAIN, TIER, ADVERSE_STATUS, INSURANCE, SETTLEMENT_STATUS];
        for list in lists {
            let mut all: Vec<&str> = list.iter().flat_map(|word| word.also.iter().chain([&word.zh])).copied().collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{list:?}");
        }
    }

    #[test]
    fn the_words_of_settlements_are_those_of_the_domain() {
        let ids = |list: &[Word]| list.iter().map(|word| word.id).collect::<Vec<_>>();
        assert_eq!(ids(INSURANCE), Insurance::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
        assert_eq!(ids(SETTLEMENT_STATUS), SettlementStatus::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
    }
}
