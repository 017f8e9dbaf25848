-- Why: nothing is dropped. What has no answer waits here for a person, with all that is needed to send it again.

create table parked_messages (
    id                 bigint generated always as identity primary key,
    source             short_text,
    event_id           short_text,
    routing_key        text not null,
    -- absent over 64 KiB: then hash and size must do
    body               bytea check (octet_length(body) <= 65536),
    body_sha256        sha256_hex not null,
    body_size_bytes    bigint not null check (body_size_bytes >= 0),
    -- json, not jsonb: a sender's \u0000 must not keep its message out of here
    headers            json not null,
    reason             text not null check (reason ~ '^[a-z_]+$'),
    detail             text not null,
    attempts           integer not null check (attempts >= 0),
    parked_at          timestamptz not null default now(),

    -- of events that could be read
    study_instance_uid dicom_uid,
    sop_instance_uid   dicom_uid,
    content_sha256     sha256_hex,

    resolved_at        timestamptz,
    resolution         text check (resolution in ('resent', 'dismissed')),
    resolved_by        short_text,
    resolved_why       short_text,

    constraint source_and_id_come_together check (num_nonnulls(source, event_id) in (0, 2)),
    constraint resolved_with_who_and_why
        check (num_nonnulls(resolved_at, resolution, resolved_by, resolved_why) in (0, 4))
);
create unique index one_parked_row_an_event on parked_messages (source, event_id) where event_id is not null;
create unique index one_parked_row_a_body on parked_messages (body_sha256) where event_id is null;
create index parked_and_unresolved on parked_messages (parked_at) where resolved_at is null;
