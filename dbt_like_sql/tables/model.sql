-- name: core.model
-- meaning: What each relation of this file was made from: one whose text is as it was is not made again.
-- grain: one row per relation
-- key: relation
-- null: never.
-- columns:
--   relation | varchar | - | qualified name of the table, view or macro
--   sha256 | varchar | - | fingerprint of its SQL, its header, and what it reads

create table if not exists core.model (
    relation varchar not null,
    sha256 varchar
);
