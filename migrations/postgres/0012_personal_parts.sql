-- The name of a natural person is sealed with the other personal parts (sealed_identity), and `name` is empty. Keyed hashes
-- find a subject by exactly what is asked for, and tell nothing without the key. Rows of before this step are sealed by
-- `medcredit migrate`, which has the key, right after it.

ALTER TABLE subjects ADD COLUMN name_index BYTEA;           -- of a natural person's name
ALTER TABLE subjects ADD COLUMN id_number_index BYTEA;      -- of the certificate's number
ALTER TABLE subjects ADD COLUMN representative_index BYTEA; -- of the legal representative's name

CREATE INDEX subjects_name_hash_index ON subjects (name_index) WHERE name_index IS NOT NULL;
CREATE INDEX subjects_id_number_hash_index ON subjects (id_number_index) WHERE id_number_index IS NOT NULL;
CREATE INDEX subjects_representative_hash_index ON subjects (representative_index) WHERE representative_index IS NOT NULL;
CREATE INDEX subjects_name_text_index ON subjects (name) WHERE name <> '';
CREATE INDEX subjects_parent_index ON subjects (parent_code) WHERE parent_code IS NOT NULL;
