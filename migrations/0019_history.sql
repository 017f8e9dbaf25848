-- Why: years of finished studies must not make the list, a commit or the sweep any slower. What is asked for by image,
-- patient or finding is found by an index; what is asked of the open studies is computed without a query for each.

-- The answers to an image: asked for by the list, by every commit and by every parked message. The unique indexes serve
-- none of them, for `purpose <> 'shadow'` implies neither of their conditions.
create index findings_that_answer on findings (sop_instance_uid, content_sha256) where purpose <> 'shadow';
create index studies_of_a_patient on studies (patient_key) where patient_key is not null;

-- min(order level, AI level), raised by one for each cap waited, but by ageing never above level 1; no cap, no ageing. One
-- expression, so that Postgres writes it into the statement: a function that asks `ageing_caps` itself is a query for
-- each study.
create function raised_level(priority text, ai_level smallint, arrived_at timestamptz, at timestamptz, cap interval)
    returns smallint immutable language sql
    return least(least(order_level(priority), ai_level),
                 greatest(1, least(order_level(priority), ai_level)
                             - coalesce(floor(extract(epoch from at - arrived_at) / extract(epoch from cap))::integer, 0))
                )::smallint;

-- The same, for one study.
create or replace function study_level(priority text, ai_level smallint, arrived_at timestamptz, at timestamptz)
    returns smallint stable language sql
    return raised_level(priority, ai_level, arrived_at, at,
                        (select cap from ageing_caps c where c.order_priority = priority));
