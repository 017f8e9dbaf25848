-- Why: a listener whose queue is full refuses events. Each event is sent again by a back-off of its own, so that it neither
-- holds up the others nor floods those listeners that have it already. Results go to an exchange that only we may write
-- to; a parked message goes back to the exchange it came from, and the row says which.

alter table outbox
    add column destination text not null default 'results'
        constraint an_event_goes_to_listeners_or_to_where_senders_publish check (destination in ('results', 'events')),
    -- how often the broker refused it
    add column attempts integer not null default 0 check (attempts >= 0),
    add column next_attempt_at timestamptz not null default now();
update outbox set destination = 'events' where event_type = 'parked.resent' and sent_at is null;

-- the relay takes what is due; rows that were refused must not be in its way
create index outbox_due on outbox (next_attempt_at, id) where sent_at is null;
drop index outbox_not_sent;
