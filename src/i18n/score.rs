//! Texts about models and about how a score came about.

use super::texts;

// Values.
texts! {
    growth_of(value): "growth of {value}", "{value}较上一半年的增长率";
    count_of(events, window): "number of {events}{window}", "{events}的次数{window}";
    window_before: ", with the half-year before", "（含上一个半年）";
    window_with(back): ", with {back} half-years before", "（含之前 {back} 个半年）";
    window_between(nearest, farthest): ", {nearest} to {farthest} half-years before", "（本期之前第 {nearest} 至第 {farthest} 个半年）";
    peer_percentile(value, group): "percentile of {value} among the {group}", "{value}在{group}中的百分位";
    peers_at_least(peers, least): "{peers}, with at least {least} others", "{peers}（其他主体不少于 {least} 家）";
    peers_of_kind: "kind", "同类主体";
    peers_of_level: "level", "同级别主体";
    peers_of_region: "region", "同地区主体";
    agreement_age: "months since the agreement was signed", "服务协议签订至期末的整月数";
}

// How values earn points.
texts! {
    score_linear(worst, best, weight): "in proportion from {worst} (0) to {best} ({weight})", "按比例计分：{worst} 得 0 分，{best} 得 {weight} 分";
    score_pass_through(out_of): "as scored out of {out_of}", "按原评分折算（原评分满分 {out_of}）";
    score_more(start, each): "{start}, and {each} for each event", "起始 {start} 分，每次加 {each} 分";
    score_fewer(start, each): "{start}, and -{each} for each event", "起始 {start} 分，每次扣 {each} 分";
    band_below(below, points): "below {below}: {points}", "低于 {below}：{points} 分";
    band_else(points): "else {points}", "其余：{points} 分";
    bands_join: ", ", "；";
    clause_join: "; ", "；";
    missing_none: "no record means none", "无记录视为未发生";
    missing_points(points): "without data {points}", "无数据得 {points} 分";
    missing_no_condition: "without data no condition on it is met", "无数据时以其为据的条件均不成立";
    missing_value(value): "without data {value}", "无数据按 {value} 计";
    fired_missing(lack, points, weight): "{lack}: {points} of {weight}", "{lack}：{weight} 分中得 {points} 分";
    fired_linear(worst, best, weight): "in proportion: {worst} earns 0, {best} earns {weight}", "按比例计分：{worst} 得 0 分，{best} 得 {weight} 分";
    fired_pass_through(out_of): "as scored, out of {out_of}", "按原评分折算（原评分满分 {out_of}）";
    fired_more(start, each): "starts at {start}, {each} for each event", "起始 {start} 分，每次加 {each} 分";
    fired_fewer(start, each): "starts at {start}, -{each} for each event", "起始 {start} 分，每次扣 {each} 分";
    fired_no_band: "no band", "不在任何区间";
    fired_band(limits, points): "band {limits}: {points}", "区间“{limits}”：{points} 分";
    limits_any: "any value", "任意值";
    limits_below(below): "below {below}", "低于 {below}";
    limits_from(from): "{from} and more", "{from} 及以上";
    limits_between(from, below): "from {from}, below {below}", "{from} 及以上、低于 {below}";
    needed_events_or_more(events): "{events} events or more", "{events} 次或以上";
    needed_no_event: "no event", "不发生";
    needed_events_at_most(events): "{events} events at most", "不超过 {events} 次";
    needed_band(limits, points): "{limits} ({points})", "{limits}（{points} 分）";
    needed_or_more(value): "{value} or more", "{value} 或以上";
    needed_or_less(value): "{value} or less", "{value} 或以下";
    or: " or ", " 或 ";
    and: " and ", " 且 ";
    no_data: "nothing was reported", "无报送数据";
    nothing_to_divide_by: "the denominator is not positive", "分母不为正数";
    no_former_period: "there is no previous half-year to compare with", "上一半年无可比数据";
    no_day: "the date is unknown", "日期不详";
    few_peers: "there are too few peers to compare with", "可比主体过少";
    other_sources(sources): "another value for the same day does not count: {sources}", "同日的另一数值不计：{sources}";
}

// Conditions and rules.
texts! {
    at_least(bound): "at least {bound}", "不低于 {bound}";
    at_most(bound): "at most {bound}", "不高于 {bound}";
    above(bound): "above {bound}", "高于 {bound}";
    below(bound): "below {bound}", "低于 {bound}";
    condition(signal, bounds): "{signal} is {bounds}", "{signal}{bounds}";
    rule_conditions(clause, conditions): "{clause}: {conditions}", "{clause}：{conditions}";
    condition_in_rule(signal, bounds): "{signal} {bounds}", "{signal}{bounds}";
    every_other_case: "in every other case", "其余情形";
    branches_exactly(number): "{number}", "{number} 家";
    branches_up_to(from, to): "{from} to {to}", "{from} 至 {to} 家";
    branches_or_more(from): "{from} or more", "{from} 家及以上";
    chain_one(number, grade, effect): "{number} branch {grade}: {effect}", "{number}分店为{grade}：{effect}";
    chain_several(number, grade, effect): "{number} branches {grade}: {effect}", "{number}分店为{grade}：{effect}";
    chain_best(grade): "at best {grade}", "至多评为{grade}";
    chain_direct(grade): "{grade} directly", "直接评定为{grade}";
    chain_unless(conditions): ", unless {conditions}", "，但{conditions}的除外";
    own_stands: "a head keeps its own grade where it is worse than one given directly", "总部自身等级低于直接评定的等级时，保留自身等级";
    own_replaced: "a grade given directly replaces the head's own grade, even a worse one", "直接评定的等级取代总部自身等级，即使自身等级更低";
    because(signal, value, bounds): "{signal} is {value} ({bounds})", "{signal}为 {value}（{bounds}）";
    because_branches(counted, of, grade): "{counted} of {of} graded branches are {grade}", "{of} 家已评级分店中有 {counted} 家为{grade}";
    because_excepted: "the exception of the rule applies", "适用该规则的例外";
    part_rule: "rule", "规则";
    part_veto: "veto", "一票否决";
    part_cap: "cap", "封顶";
    part_chain: "chain", "连锁规则";
}

// What would raise the grade.
texts! {
    must_not_be(signal, value, bounds): "{signal} is {value} and must no longer be {bounds}", "{signal}现为 {value}，须不再{bounds}";
    counted_until(count, period, last): "; {count} of {period}, counted until the round of {last}", "；其中 {period} 的 {count} 次计入至 {last} 评定为止";
    branches_allowed(grade, counted, most): "branches that are {grade}: {counted}, at most {most} allowed", "{grade}的分店 {counted} 家，至多允许 {most} 家";
    to_reach(grade): "to reach {grade}:", "如何提升至{grade}：";
    must_end(part, clause): "{part} {clause} must no longer apply", "{part}“{clause}”须不再适用";
    ends_by_itself(period): "without new events it ends in the round of {period}", "如不再发生，自 {period} 评定起不再适用";
    one_must_apply: "one of these must apply", "须适用下列之一";
    lacking_alone(points): "{points} points are missing; indicators that could add them, each alone:", "尚差 {points} 分；下列任一指标可单独补足：";
    lacking_together(points): "{points} points are missing; indicators that could add them, together:", "尚差 {points} 分；下列指标合计可补足：";
    step(no, name, room, with): "{no} {name} (up to {room} more): {with}", "{no} {name}（至多再得 {room} 分）：{with}";
}

// The explanation of a result.
texts! {
    explained_head(code, period, model, run, state): "{code} in {period}: {model}, run {run} ({state})", "{code}　{period}　{model}　批次 {run}（{state}）";
    model_version(model, version): "{model} version {version}", "{model} 第 {version} 版";
    not_rated_because(reason): "not rated: {reason}", "不参评：{reason}";
    points_of(points, total, grade): "{points} points of {total}: {grade}", "得分 {points}（满分 {total}）：{grade}";
    limits_reduce(sum): "the indicators add up to {sum}; the limits listed below reduce the total", "各指标合计 {sum} 分，因下列封顶或否决规则而降低";
    level_points(name, points, weight): "{name} {points} of {weight}", "{name}　{points} / {weight} 分";
    record_one: "1 record", "1 条记录";
    records(count): "{count} records", "{count} 条记录";
    evidence(period, measure, value, count, references): "{period} {measure}: {value}, {count}: {references}", "{period} {measure}：{value}，{count}：{references}";
    evidence_plain(period, measure, value, count): "{period} {measure}: {value}, {count}", "{period} {measure}：{value}，{count}";
    more_references: ", ...", "，……";
    rules_that_apply: "rules that apply (> decides):", "适用的规则（> 为起决定作用者）：";
    decision(part, clause, grade): "{part} {clause}: {grade}", "{part} {clause}：{grade}";
    decision_at_most(points): ", at most {points} points", "，至多 {points} 分";
    head_of_chain(of, grade, first): "head of a chain: none of {of} graded branches is {grade}; {first}", "连锁总部：{of} 家已评级分店中无{grade}；{first}";
    version_before(version, day, result): "version {version} of {day}: {result}", "第 {version} 版（{day}）：{result}";
    version_now(version, day, result): "version {version} of {day}, in force: {result}", "第 {version} 版（{day}，现行）：{result}";
    corrected_because(reason): "corrected because: {reason}", "更正原因：{reason}";
    result_points(grade, points): "{grade}, {points} points", "{grade}，{points} 分";
}

// The page of an explanation.
texts! {
    page_title(name, period): "Credit assessment of {name}, {period}", "{name} {period}信用评定说明";
    page_model: "Model", "评价模型";
    page_run: "Run", "评级批次";
    page_state: "State", "状态";
    page_version: "Version", "版本";
    page_valid_until: "Valid until", "有效期至";
    page_grade: "Grade", "等级";
    page_points: "Points", "得分";
    page_points_value(points, total): "{points} of {total}", "{points} / {total}";
    page_history: "What it was before", "更正前后";
    page_lost: "Where points were lost", "失分情况";
    page_lost_chart: "Points earned and lost by indicator, the greatest loss first", "各指标得分与失分，失分最多者在前";
    page_lost_none: "No points were lost.", "没有失分。";
    page_lost_more(count, points): "{count} further indicators lost {points} points together; the tables below have all of them.", "另有 {count} 项指标合计失 {points} 分，详见下表。";
    page_earned: "earned", "得分";
    page_lost_word: "lost", "失分";
    page_raise(grade): "What would raise the grade to {grade}", "如何提升至{grade}";
    page_best: "This is the best grade.", "已是最高等级。";
    page_rules: "Rules that apply", "适用的规则";
    page_decides: "decides", "起决定作用";
    page_effect: "Effect", "结果";
    page_because: "Because", "理由";
    page_indicators: "All indicators", "全部指标";
    page_signals: "What the rules look at", "规则所依据的情况";
    page_no: "No.", "序号";
    page_indicator: "Indicator", "指标";
    page_value: "Value", "取值";
    page_rule: "How it earns points", "计分";
    page_rule_name: "Rule", "规则";
    page_records: "Records", "依据的记录";
    page_weight: "Weight", "分值";
    page_condition: "From which value", "需达到";
    page_room: "Up to", "可增";
    page_internal: "For the subject and the bureau. Not to be passed on.", "供本主体与医保部门查阅，不得转交他人。";
    page_reference: "Government information, for reference.", "政务信息，供参考。";
}

// Words for codes.
texts! {
    under_one_year: "agreement_under_one_year", "签订医保服务协议不满一年";
    ended_by_subject: "agreement_ended_by_subject", "主动解除服务协议";
    ended_by_bureau: "agreement_ended_by_bureau", "被解除服务协议";
    insufficient_data: "insufficient_data", "数据不足";
    licence_suspended: "licence_suspended", "执业许可暂停或吊销";
    other_reason: "other", "其他情形";
    state_trial: "trial", "试评";
    state_preassessment: "preassessment", "预评定";
    state_published: "published", "已发布";
    state_superseded: "superseded", "已被后一期取代";
    state_discarded: "discarded", "已作废";
    first_half(year): "{year}-H1", "{year}年上半年";
    second_half(year): "{year}-H2", "{year}年下半年";
    not_rated: "not rated", "不参评";
}

// The page of a model.
texts! {
    doc_title(name, id, version): "{name} ({id}, version {version})", "{name}（{id} 第{version}版）";
    doc_subject(kind, how): "Rates: {kind}. {how}.", "评价对象：{kind}。{how}。";
    doc_total(points): "Total {points} points", "总分 {points} 分";
    doc_by_rules: "By rules, without points", "按规则定级，不计分";
    doc_published(fields, source): "Published ({fields}): {source}", "公开内容（{fields}）：{source}";
    doc_default(fields, reason): "Chosen by this project ({fields}): {reason}", "自定内容（{fields}）：{reason}";
    doc_basis_published(words): "published: {words}", "公开：{words}";
    doc_basis_default(words): "chosen: {words}", "自定：{words}";
    doc_scheme(name, id, version): "Grades: {name} ({id}, version {version})", "等级：{name}（{id} 第{version}版）";
    doc_from(points): "from {points} points", "{points} 分起";
    doc_rest: "the rest", "其余";
    doc_by_rule: "by the rules", "按规则";
    doc_ordinal: "Place", "次序";
    doc_code: "Code", "代码";
    doc_name: "Name", "名称";
    doc_condition: "Condition", "条件";
    doc_not_rated: "Not rated", "不参评";
    doc_not_rated_for(reasons, basis): "{reasons} ({basis})", "{reasons}（{basis}）";
    doc_scope(provider, region): "Provider: {provider}. Region: {region}.", "发布单位：{provider}。适用地区：{region}。";
    doc_rated_all_the_same(case, when, basis): "Rated all the same: {case}, {when} ({basis})", "例外，仍参评：{case}，{when}（{basis}）";
    doc_level(name, points): "{name} ({points} points)", "{name}（{points} 分）";
    doc_score: "Points", "计分";
    doc_missing: "Without data", "缺失";
    doc_basis: "Basis", "依据";
    doc_signals: "Signals", "信号";
    doc_id: "Id", "代号";
    doc_rules: "Rules", "定级规则";
    doc_rules_order: "Evaluated in this order: the first that applies gives the grade.", "依次判断，首个成立的规则定级。";
    doc_clause: "Clause", "条款";
    doc_limits: "Caps and vetoes", "封顶与一票否决";
    doc_sort: "Sort", "类别";
    doc_at_most: "At most", "至多";
    doc_points(points): "{points} points", "{points} 分";
    doc_chain: "Chains", "连锁规则";
    doc_chain_counts(grade, basis): "By the number of branches rated {grade} in the same round. {basis}", "按同轮评为{grade}的分店数。{basis}";
    doc_consequences: "Supervisory measures", "分类监管措施";
    doc_consecutive: "In a row", "连续次数";
    doc_measure: "Measure", "措施";
    doc_collected(name): "Collected data: {name}", "采集项：{name}";
    doc_unit: "Unit", "单位";
    doc_form: "Form", "形式";
    doc_category: "Category", "信息类别";
    doc_provider: "Provider", "提供单位";
    doc_frequency: "Updated", "更新频率";
    doc_validity: "Valid for", "有效期";
    doc_months(months): "{months} months", "{months} 个月";
    doc_publicity: "Publicity", "公开属性";
    doc_used_by: "Used by", "用于";
    form_flow: "sum", "合计";
    form_stock: "latest value", "期末值";
    form_event: "event", "事件";
    every_month: "monthly", "每月";
    every_quarter: "quarterly", "每季度";
    every_half_year: "half-yearly", "每半年";
    every_year: "yearly", "每年";
    publicity_public: "public", "公开";
    publicity_shared: "shared", "政务共享";
    publicity_query: "on query", "查询";
    publicity_internal: "internal", "内部";
    doc_join: ", ", "、";
    sign_prepared: "Prepared by:", "编制：";
    sign_reviewed: "Reviewed by:", "审核：";
    sign_approved: "Approved by:", "批准：";
    sign_date: "Date:", "日期：";
}
