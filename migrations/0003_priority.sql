-- Why: one definition of a study's level, used by the view, the sweep and the finding's transaction alike; and every
-- change of a place on the list can be explained afterwards.

-- What ageing takes for one level; a row missing means that this priority does not age.
create table ageing_caps (
    order_priority text primary key check (order_priority in ('urgent', 'routine')),
    cap            interval not null check (cap > interval '0')
);
insert into ageing_caps values ('urgent', interval '60 minutes'), ('routine', interval '240 minutes');

create function order_level(order_priority text) returns smallint immutable language sql
    return (case order_priority when 'stat' then 0 when 'urgent' then 2 when 'routine' then 3 end)::smallint;

-- min(order level, AI level), raised by one for each cap waited, but by ageing never above level 1
create function study_level(priority text, ai_level smallint, arrived_at timestamptz, at timestamptz)
    returns smallint stable language sql
    return (
        select least(base, greatest(1, base - caps_waited))
        from (select least(order_level(priority), ai_level) as base,
                     coalesce((select floor(extract(epoch from at - arrived_at) / extract(epoch from cap))::integer
                               from ageing_caps c where c.order_priority = priority), 0) as caps_waited) as waiting
    )::smallint;

create table priority_changes (
    id                 bigint generated always as identity primary key,
    study_instance_uid dicom_uid not null references studies,
    reason             text not null check (reason in
                           ('order', 'flagged_dislocation', 'flagged_fracture', 'ageing', 'new_image', 'status')),
    from_level         smallint not null check (from_level between 0 and 3),
    to_level           smallint not null check (to_level between 0 and 3),
    from_flagged       boolean not null,
    to_flagged         boolean not null,
    finding_id         bigint references findings,
    changed_at         timestamptz not null default now(),
    -- AI and ageing only raise; an order may say otherwise
    constraint only_an_order_lowers check (reason = 'order' or (to_level <= from_level and to_flagged >= from_flagged)),
    -- a study that comes back to the list has moved even if its level is the old one
    constraint a_change_changes check (reason = 'new_image' or (from_level, from_flagged) <> (to_level, to_flagged))
);
create index priority_changes_of_a_study on priority_changes (study_instance_uid, id);
