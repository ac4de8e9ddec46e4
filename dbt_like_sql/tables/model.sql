-- name: core.model
-- meaning: What each relation of this file was made from, and each check that ran: what is as it was is not made again.
-- grain: one row per relation, macro and check
-- key: relation
-- null: never.
-- columns:
--   relation | varchar | - | qualified name of the table, view, macro or check
--   sha256 | varchar | - | fingerprint of its SQL, its header, and what it reads

create table if not exists core.model (
    relation varchar not null,
    sha256 varchar
);
