-- Why: two bad events under one id are two messages; and what is kept for a time only is found and cleared in small steps,
-- however much there is.

-- One row for a message: its id is not enough, for a sender may give it to two. Workers of the version before cannot park
-- any more once this is applied: stop them first.
drop index one_parked_row_an_event;
create unique index one_parked_row_a_message on parked_messages (source, event_id, body_sha256)
    where event_id is not null;
create index parked_and_resolved on parked_messages (resolved_at) where resolved_at is not null;
create index parked_messages_by_state on parked_messages ((resolved_at is not null), parked_at, id);

-- What a finding is shown by and drift is measured on is large, and can be made again from image and model; the finding
-- itself stays for ever.
create index findings_with_a_heatmap on findings (created_at) where heatmap_png is not null;
create index findings_with_features on findings (model_sha256, created_at) where features is not null;
create index priority_changes_by_age on priority_changes (changed_at);
