-- name: core.dictionary
-- meaning: What each relation, column, macro and parameter means, and its unit: what the catalogue's comments say, as a table.
-- grain: one row per relation or macro, and one per column or parameter of it
-- key: relation, position
-- null: unit: there is none; column_name, type: the row is of the relation itself.
-- columns:
--   relation | varchar | - | qualified name of the table, view or macro
--   kind | varchar | - | of the relation itself table, view, macro table (called with parameters) or macro (a formula); else column or parameter
--   position | integer | - | 0 for the relation itself; then its columns, then its parameters
--   column_name | varchar | - | column or parameter
--   type | varchar | - | type of the column or parameter; for a macro's own row what it returns
--   unit | varchar | - | unit of the values
--   meaning | varchar | - | what it is; for a relation also its grain and what NULL means

create table if not exists core.dictionary (
    relation varchar not null,
    kind varchar not null,
    position integer not null,
    column_name varchar,
    type varchar,
    unit varchar,
    meaning varchar not null
);
