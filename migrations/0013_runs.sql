-- Why: a run goes on as it began, whoever takes it over; one that kills its trainer ends; a person can end one.

alter table training_runs
    -- all that its result depends on beside its images, as it was when it began
    add column settings   jsonb not null default '{}',
    -- the furthest it ever came, and how often it was taken over without coming any further
    add column furthest   real not null default 0 check (furthest between 0 and 1),
    add column take_overs integer not null default 0,
    -- a person's word that it, or the trial of its challenger, is to end
    add column cancelled_by short_text,
    add column cancel_why   short_text,
    add constraint who_cancels_says_why check ((cancelled_by is null) = (cancel_why is null));

-- The run that answered it.
alter table training_requests add column run_id bigint references training_runs;
