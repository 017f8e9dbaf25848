-- Why: an arrival is on record before anything was inferred, and stays there whatever happens to its image.

create domain dicom_uid as text
    check (value ~ '^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$' and length(value) <= 64);
create domain sha256_hex as text check (value ~ '^[0-9a-f]{64}$');
create domain short_text as text check (length(value) between 1 and 512);

create table studies (
    study_instance_uid dicom_uid primary key,
    accession_number   short_text,
    patient_key        short_text,
    site               short_text,
    -- the most urgent of the study's events
    order_priority     text not null check (order_priority in ('stat', 'urgent', 'routine')),
    -- the database's time of the first registration: no sender's clock can move a study up the list
    arrived_at         timestamptz not null default now(),

    state              text not null default 'open' check (state in ('open', 'reading', 'finished')),
    state_changed_at   timestamptz not null default now(),
    state_changed_by   short_text,
    -- the last status event, by its own clock: older ones and its duplicates change nothing
    state_event_at     timestamptz,
    state_event        text,

    -- the study's answer, of all its images
    flagged            boolean not null default false,
    ai_level           smallint check (ai_level in (0, 1)),
    verdict            text check (verdict in ('dislocation', 'fracture', 'normal', 'not_assessable')),
    reason             text check (reason ~ '^[a-z_]+$'),
    -- one SOP instance UID came with different bytes
    conflict           boolean not null default false,

    -- the place on the list as last written to priority_changes; a study being read stands still there
    listed_level       smallint not null check (listed_level between 0 and 3),
    listed_flagged     boolean not null default false,

    constraint only_a_flag_gives_an_ai_level check (flagged = (ai_level is not null)),
    constraint only_an_assessed_study_is_flagged check (not flagged or coalesce(verdict <> 'not_assessable', false))
);
-- the list and the sweep look at open studies only; finished ones pile up for years
create index studies_on_the_list on studies (arrived_at) where state <> 'finished';

create table images (
    sop_instance_uid    dicom_uid not null,
    -- part of the key: the same UID with other bytes is another image, scored beside the first
    content_sha256      sha256_hex not null,
    study_instance_uid  dicom_uid not null references studies,
    series_instance_uid dicom_uid not null,
    object_key          text not null check (length(object_key) between 1 and 1024),
    media_type          short_text not null,
    size_bytes          bigint check (size_bytes >= 0),
    modality            short_text,
    body_part           short_text,
    view                short_text,
    acquired_at         timestamptz,
    -- the first event that told of it
    event_source        short_text not null,
    event_id            short_text not null,
    event_time          timestamptz not null,
    registered_at       timestamptz not null default now(),
    -- why its message was parked; null again as soon as there is a finding or it was sent again
    failed_reason       text check (failed_reason ~ '^[a-z_]+$'),
    primary key (sop_instance_uid, content_sha256)
);
create index images_of_a_study on images (study_instance_uid);
