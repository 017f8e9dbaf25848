-- Why: exactly one network serves, everybody sees which and since when, and whoever loses a race changes nothing.

alter table models
    add column state text not null default 'candidate'
        check (state in ('candidate', 'shadow', 'champion', 'retired')),
    -- where its bytes lie in the object store; null: only the record is here
    add column object_key text check (length(object_key) between 1 and 1024),
    add column parent_sha256 text generated always as (card #>> '{training,parent}') stored,
    add column data_digest text generated always as (card #>> '{training,data_digest}') stored,
    add constraint what_works_can_be_fetched check (state in ('candidate', 'retired') or object_key is not null);
create unique index one_champion on models (state) where state = 'champion';
create unique index one_shadow on models (state) where state = 'shadow';

-- Who moved a model, and why. Promotions are those to 'champion'.
create table model_changes (
    id           bigint generated always as identity primary key,
    model_sha256 sha256_hex not null references models,
    from_state   text not null check (from_state in ('candidate', 'shadow', 'champion', 'retired')),
    to_state     text not null check (to_state in ('candidate', 'shadow', 'champion', 'retired')),
    -- of `serving`, after the change
    epoch        bigint not null,
    changed_by   short_text not null,
    why          short_text not null,
    changed_at   timestamptz not null default now(),
    constraint a_model_change_changes check (from_state <> to_state)
);
create index model_changes_of_a_model on model_changes (model_sha256, id);

-- What workers serve. Moved only by `update … where epoch = $expected`: one row, or the race is lost.
create table serving (
    only_row        boolean primary key default true check (only_row),
    epoch           bigint not null default 0,
    champion_sha256 sha256_hex references models,
    -- also scores this share of live images, without touching the list
    shadow_sha256   sha256_hex references models,
    shadow_share    real not null default 0 check (shadow_share between 0 and 1),
    changed_at      timestamptz not null default now(),
    constraint a_shadow_is_not_the_champion check (shadow_sha256 is distinct from champion_sha256 or shadow_sha256 is null),
    constraint a_share_needs_a_shadow check ((shadow_sha256 is null) = (shadow_share = 0))
);
insert into serving default values;

-- A hint for those who wait; what they go by is the row.
create function tell_serving() returns trigger language plpgsql as $$
begin
    perform pg_notify('cspine_serving', new.epoch::text);
    return null;
end $$;
create trigger serving_is_told after update on serving for each row execute function tell_serving();

-- What the head of the network saw, 16-bit floats, little endian: drift is measured on it. Every row that is there has
-- none: looking at them all under the lock (without `not valid`) would find nothing.
alter table findings
    add column features bytea,
    add constraint features_are_halves
        check (octet_length(features) between 2 and 16384 and octet_length(features) % 2 = 0) not valid;
create index findings_of_a_model on findings (model_sha256, purpose, created_at);
