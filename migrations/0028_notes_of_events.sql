-- Why: an image whose message was lost is published again from what is on record, and what was odd about its event belongs
-- to that as well.

alter table images
    -- codes as `crates/domain/src/note.rs` lists them
    add column event_notes text[] not null default '{}',
    add constraint event_notes_are_codes check (
        array_to_string(event_notes, ',') ~ '^([a-z][a-z0-9_]{0,63}(,[a-z][a-z0-9_]{0,63})*)?$'
        -- neither null nor empty, nor two codes in one
        and event_notes = string_to_array(array_to_string(event_notes, ','), ',')) not valid; -- every row there is has none
