-- Why: a network that was measured on last year's images says nothing of this year's if they have changed.

create table drift_reports (
    id              bigint generated always as identity primary key,
    day             date not null,
    champion_sha256 sha256_hex not null references models,
    -- images of the champion's reference period, and of the day
    reference       integer not null check (reference > 0),
    images          integer not null check (images > 0),
    drifted         boolean not null,
    -- each with its name, whether it drifted, its value, p-value and what it is of
    statistics      jsonb not null check (jsonb_typeof(statistics) = 'array'),
    created_at      timestamptz not null default now(),
    constraint one_drift_report_a_day unique (day, champion_sha256),
    constraint a_warning_says_what_drifted
        check (not drifted or jsonb_path_exists(statistics, '$[*] ? (@.drifted == true && @.name like_regex ".")'))
);
