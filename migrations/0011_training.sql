-- Why: one trainer at a time, whatever was stopped and came back; and every run can be explained afterwards.

-- Whoever holds the lease has its epoch; who slept past its end has lost it, taken over or not.
create table trainer_lease (
    only_row   boolean primary key default true check (only_row),
    epoch      bigint not null default 0,
    holder     text,
    expires_at timestamptz not null default '-infinity'
);
insert into trainer_lease default values;

create table training_runs (
    id               bigint generated always as identity primary key,
    state            text not null default 'running' check (state in
                         ('running', 'failed', 'rejected', 'shadowing', 'waiting', 'promoted', 'withdrawn')),
    cause            text not null check (cause in ('labels', 'schedule', 'request')),
    -- of the lease under which it began, or was last taken over
    lease_epoch      bigint not null,
    champion_sha256  sha256_hex not null references models,
    -- the last review that it has seen: later ones are new to the next run
    reviews_through  bigint not null,
    -- in words, and how far it is in it, 0 to 1
    stage            text not null default 'starting',
    progress         real not null default 0 check (progress between 0 and 1),
    challenger_sha256 sha256_hex references models,
    -- what the gate measured
    verdict          jsonb,
    -- why it ended as it did
    outcome          text,
    report_key       text,
    started_at       timestamptz not null default now(),
    ended_at         timestamptz,
    constraint only_what_ended_has_an_end check ((state = 'running') = (ended_at is null)),
    constraint a_challenger_was_measured check (challenger_sha256 is null or verdict is not null)
);
create unique index one_run_at_a_time on training_runs (state) where state = 'running';
create unique index one_challenger_at_a_time on training_runs ((true)) where state in ('shadowing', 'waiting');

create table training_log (
    id     bigint generated always as identity primary key,
    run_id bigint not null references training_runs,
    at     timestamptz not null default now(),
    line   text not null
);
create index training_log_of_a_run on training_log (run_id, id);

-- A chain: each link names the hash of the one before it, so that none can be changed or left out unseen.
create table evidence (
    id            bigint generated always as identity primary key,
    run_id        bigint not null references training_runs,
    kind          text not null check (kind ~ '^[a-z_]+$'),
    -- json, not jsonb: hashed byte for byte
    content       json not null,
    -- of the link before; 64 zeros for the first
    previous_hash sha256_hex not null unique,
    -- SHA-256 of previous_hash, run_id, recorded_at (microseconds since 1970), kind and content, each with a line feed
    -- after it
    hash          sha256_hex not null unique,
    recorded_at   timestamptz not null default now()
);
create trigger evidence_is_kept before update or delete or truncate on evidence
    for each statement execute function refuse_change();
