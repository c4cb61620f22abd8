//! Texts about the results of runs: reports, comparisons, figures and lists.

use super::texts;

// The page of a round.
texts! {
    title(kind, period): "Credit rating of {kind}, {period}", "{kind}医保信用评级报告 {period}";
    heading(kind): "Credit rating of a round: {kind}", "{kind}医保信用评级报告";
    internal: "Internal. Not to be passed on.", "内部资料 不得外传";
    public: "Public", "可公开";
    lead(period, state, scheme, version): "{period}　{state}　{scheme} (version {version})", "{period}　{state}　{scheme}（第 {version} 版）";
    valid_until(day): "grades are valid until {day}", "等级有效期至 {day}";
    subjects: "Subjects", "列入主体";
    graded: "Graded", "评定等级";
    not_rated: "Not rated", "不参评";
    risen: "Risen", "等级上升";
    fallen: "Fallen", "等级下降";
    corrected: "Corrected since", "发布后更正";
    distribution: "Distribution of grades", "等级分布";
    distribution_chart(kind, period): "Number of subjects by grade: {kind}, {period}", "{kind}{period}各等级数量";
    not_published: "withheld", "不予公布";
    reasons: "Not rated, by reason", "不参评原因";
    reason: "Reason", "原因";
    count: "Number", "数量";
    movement(period): "Movement since {period}", "等级变动（自{period}）";
    movement_words(both, risen, fallen, stayed): "Of {both} subjects graded in both rounds, {risen} rose, {fallen} fell and {stayed} stayed.", "两期均评定等级的主体 {both} 家：上升 {risen}，下降 {fallen}，不变 {stayed}。";
    share_of(count, percent): "{count} ({percent})", "{count}（{percent}）";
    movement_chart(period): "Movement from {period} to this round", "从{period}到本期的等级变动";
    movement_table: "Before in rows, now in columns", "上期等级（行）与本期等级（列）";
    before_down_now_right: "before ↓  now →", "上期 ↓　本期 →";
    before: "Before", "上期";
    now: "Now", "本期";
    by_region: "By region", "按地区分布";
    region: "Region", "地区";
    by_level: "By level", "按级别分布";
    level: "Level", "级别";
    table_caption(heading): "{heading}: numbers, and shares of the row", "{heading}：数量与占本行的比例";
    total: "Total", "合计";
    kinds: "Kinds of subject in the same half-year", "各类主体";
    kind: "Kind", "主体类别";
    grades: "Grades", "各等级";
    measures: "Supervisory measures by grade", "分类监管措施";
    grade: "Grade", "等级";
    measure: "Measure", "措施";
    times_in_a_row(times): " ({times} times in a row)", "（连续 {times} 次）";
    corrections: "Corrections since publication", "发布后的更正";
    remarks: "Remarks and verification", "说明与可验证信息";
    withheld(below, most): "Counts from 1 to {most} are withheld, with the counts from which they could be computed (threshold {below}).", "数量少于 {below}（即 1 至 {most}）的单元格不予公布，并隐去可据以推算的其他单元格。";
    nothing_withheld: "Nothing is withheld. For internal use only.", "本报告未隐去任何单元格，仅供内部使用。";
    run: "Run", "评级批次";
    model: "Model", "模型";
    model_digest: "Digest of the model", "模型摘要";
    input_digest: "Digest of the inputs", "输入摘要";
    outcome_digest: "Digest of the results as published", "结果摘要（发布时）";
}

// A report on the terminal.
texts! {
    run_head(run, state, kind, period, model): "run {run} ({state}): {kind} in {period}, model {model}", "批次 {run}（{state}）：{kind}，{period}，模型 {model}";
    valid_until_line(day): "valid until {day}", "有效期至 {day}";
    counts(subjects, graded): "{subjects} subjects, {graded} graded", "列入主体 {subjects} 家，评定等级 {graded} 家";
    not_rated_line(reason, count): "not rated, {reason}: {count}", "不参评，{reason}：{count}";
    corrections_line(count): "{count} assessments were corrected since publication; the numbers are those in force", "发布后更正 {count} 家；以上为现行结果";
    corrected_line(code, version, before, now, day): "{code} version {version} of {day}: {before} -> {now}", "{code} 第 {version} 版（{day}）：{before} → {now}";
    digests(input, model, outcome): "input   {input}\nmodel   {model}\noutcome {outcome}", "输入摘要 {input}\n模型摘要 {model}\n结果摘要 {outcome}";
}

// Comparisons and simulations.
texts! {
    compare_rows(run, period, model, version): "{run} ({period} {model} version {version}) in rows", "行：{run}（{period}，{model} 第 {version} 版）";
    compare_columns(run, period, model, version): "{run} ({period} {model} version {version}) in columns", "列：{run}（{period}，{model} 第 {version} 版）";
    agree(agree, subjects, percent): "{agree} of {subjects} subjects agree: {percent}%", "{subjects} 家主体中 {agree} 家结果一致：{percent}%";
    differs(code, first, second): "{code}: {first} and {second}", "{code}：{first} 与 {second}";
    more_differ(count): "and {count} more: --csv lists all", "另有 {count} 家：用 --csv 列出全部";
    absent: "absent", "未列入";
    simulated(run, period, former, former_period): "if {run} of {period} were published in place of {former} of {former_period}:", "如以 {run}（{period}）取代 {former}（{former_period}）发布：";
    simulated_first(run, period): "if {run} of {period} were published, as the first of its scheme:", "如发布 {run}（{period}），为该等级制度首次发布：";
    moves(risen, fallen, stayed): "{risen} rise, {fallen} fall, {stayed} stay", "{risen} 家上升，{fallen} 家下降，{stayed} 家不变";
    with_percent(count, percent): "{count} ({percent}%)", "{count}（{percent}%）";
    measure_line(count, grade, times, words): "for {count} subjects, after {grade}{times}: {words}", "{count} 家，{grade}{times}：{words}";
    in_succession(times): " {times} times in succession", "连续 {times} 次";
    nothing_is_visible: "none of this is visible outside", "以上均未对外公布";
}

// Statistics of indicators.
texts! {
    bias_head(run, period, graded): "{run} of {period}: {graded} subjects graded", "{run}（{period}）：评定等级 {graded} 家";
    bias_no: "no", "序号";
    bias_least: "least", "最小";
    bias_lower: "lower", "下四分";
    bias_median: "median", "中位";
    bias_upper: "upper", "上四分";
    bias_most: "most", "最大";
    bias_deviation: "dev.", "标准差";
    bias_missing: "missing", "缺失";
    bias_at_cap: "at cap", "满分";
    bias_at_zero: "at zero", "零分";
    bias_correlation: "corr.", "相关";
    flag_often_missing: "often_missing", "缺失过多";
    flag_at_cap: "at_cap", "满分过多";
    flag_at_zero: "at_zero", "零分过多";
    flag_no_spread: "no_spread", "没有区分度";
    flag_unrelated: "unrelated", "与总分无关";
    flag_against: "against", "与总分相反";
}

// Lists of subjects.
texts! {
    list_name: "name", "名称";
    list_code: "code", "代码";
    list_region: "region", "地区";
    list_level: "level", "级别";
    list_grade: "grade", "等级";
    list_points: "points", "得分";
    list_version: "version", "版本";
    list_before: "before", "上期等级";
    list_change: "change", "较上期";
    list_change_points: "change in points", "得分较上期";
    list_corrected_from: "before its correction", "更正前";
    list_measure: "measure", "措施";
    sheet_results: "results", "评级结果";
    sheet_measures: "measures", "分类监管措施";
    sheet_movement: "movement", "等级变动";
    change_up(places): "up {places}", "上升 {places} 级";
    change_down(places): "down {places}", "下降 {places} 级";
    change_none: "same", "不变";
    change_new: "new", "新列入";
    change_to_graded: "now graded", "本期参评";
    change_to_unrated: "no longer graded", "本期不参评";
}
