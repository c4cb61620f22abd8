-- Answers are counted for every consent, whether or not it limits them: a limit that an amendment adds then counts the
-- answers before it, and `ledger verify` compares every count with the entries.

-- The answers so far, from their openings. A count that is higher stays: openings may be erased. `max(day)` also decides
-- which row the last column is of.
INSERT INTO consent_use (consent_id, used, day, used_today)
    SELECT consent_id, all_answers, max(day), answers
    FROM (SELECT consent_id, day, answers, sum(answers) OVER (PARTITION BY consent_id) AS all_answers
        FROM (SELECT o.consent_id AS consent_id, date(e.committed_at / 1000000 + 28800, 'unixepoch') AS day, count(*) AS answers
            FROM ledger_openings o JOIN ledger_entries e ON e.id = o.entry_id JOIN consents c ON c.id = o.consent_id
            WHERE e.type = 'disclosure' GROUP BY 1, 2))
    WHERE true GROUP BY consent_id
    ON CONFLICT (consent_id) DO UPDATE SET used = excluded.used WHERE excluded.used > consent_use.used;
