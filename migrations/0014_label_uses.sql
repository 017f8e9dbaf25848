-- Why: a label is new until a run has used it, and the numbers of reviews do not tell whether one has: an image may come
-- later than its label, and a dispute may end with an old word.

-- What a run was given that its champion did not know: for whichever side, and whether its object was there or not. What
-- runs before this table were given counts as new once more.
create table label_uses (
    run_id         bigint not null references training_runs,
    content_sha256 sha256_hex not null,
    -- with another one the image is new again
    label          text not null check (label in ('dislocation', 'fracture', 'normal')),
    primary key (content_sha256, label, run_id)
);
