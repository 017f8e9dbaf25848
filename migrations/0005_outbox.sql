-- Why: an event goes out if and only if the transaction it tells of was committed.

create table outbox (
    id            bigint generated always as identity primary key,
    event_id      text not null,
    event_type    text not null,
    routing_key   text not null,
    -- json, not jsonb: sent byte for byte as it was written, the same every time
    payload       json not null,
    created_at    timestamptz not null default now(),
    -- a relay's lease; when it dies with the row, another takes over
    claimed_until timestamptz,
    sent_at       timestamptz
);
-- the relay looks at what is not sent; the rest only waits to be discarded
create index outbox_not_sent on outbox (id) where sent_at is null;
create index outbox_sent on outbox (sent_at) where sent_at is not null;
