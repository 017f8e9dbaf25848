-- Why: every trial of a challenger ends with a verdict that has a name, also where its images could not be scored.

alter table training_runs
    -- null: there was no trial, it goes on, or a person promoted the challenger before it had ended
    add column trial_verdict text check (trial_verdict in
        ('agrees', 'doubtful', 'differs', 'not_scored', 'superseded', 'cancelled')),
    add constraint a_trial_had_a_challenger check (trial_verdict is null or challenger_sha256 is not null);
