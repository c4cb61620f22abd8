-- What former grades and first-level totals are told by, kept beside the assessment when its round is published: whose
-- the code was then, and no more of the explanation than the totals. Assessments of before this step have no totals.

ALTER TABLE assessments ADD COLUMN uscc TEXT;          -- the legal entity the code belonged to at publication
ALTER TABLE assessments ADD COLUMN level_points TEXT;  -- JSON: thousandths of each first-level indicator, in the model's order

UPDATE assessments SET uscc = (SELECT s.uscc FROM subjects s WHERE s.code = assessments.subject_code);
