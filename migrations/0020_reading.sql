-- Why: a study that somebody began to read and never finished must not stay where it is for ever, what is found in it
-- meanwhile must be seen, and no sender's clock may decide which word on a study is the last.

create table list_settings (
    only_row             boolean primary key default true check (only_row),
    -- a study counts as open again when nobody has said for so long that it is being read
    reading_lapses_after interval not null default '60 minutes' check (reading_lapses_after > interval '0')
);
insert into list_settings default values;

alter table studies
    -- by the database's clock: when it was last said that it is being read
    add column reading_heard_at     timestamptz,
    -- the first flag that was set since
    add column flagged_in_reading_at timestamptz;

-- What was said of a study by events, for as long as one of them may come twice or late.
create table status_events (
    study_instance_uid dicom_uid not null references studies,
    source             short_text not null,
    event_id           short_text not null,
    state              text not null check (state in ('open', 'reading', 'finished')),
    -- by the sender's clock, whatever that says
    sent_at            timestamptz not null,
    received_at        timestamptz not null default now(),
    primary key (study_instance_uid, source, event_id)
);
create index status_events_by_age on status_events (received_at);

-- As before, and: a reading that has lapsed counts as open at once, swept or not; a study being read says whether a flag
-- was set since (it keeps its place). Images are counted for the rows that are asked for only: ask for the first n by
-- `where position <= n`, not by a limit, which has to count the images of all.
create or replace view worklist as
select p.position,
       p.study_instance_uid,
       p.accession_number,
       p.order_priority,
       p.level,
       p.flagged,
       case when status in ('scored', 'not_assessable') then p.verdict end as verdict,
       status,
       case status when 'failed' then coalesce(c.failed_reason, p.parked_reason)
                   when 'not_assessable' then p.reason
                   when 'waiting' then case when p.conflict then 'conflict' end
                   -- marks on an answer: the gravest first
                   else coalesce(case when p.conflict then 'conflict' end, p.reason, c.failed_reason, p.parked_reason)
                   end as reason,
       p.arrived_at,
       extract(epoch from now() - p.arrived_at)::bigint as waited_seconds,
       c.images,
       c.images_assessed,
       case when p.being_read then 'reading' else 'open' end as state,
       p.conflict,
       p.being_read and coalesce(p.flagged_in_reading_at > p.state_changed_at, false) as flagged_since_reading
  from (select l.*,
               row_number() over (order by level, placed_as_flagged desc, arrived_at, study_instance_uid) as position
          from (select r.*,
                       case when being_read then listed_level
                            else raised_level(order_priority, ai_level, arrived_at, now(), cap) end as level,
                       case when being_read then listed_flagged else flagged end as placed_as_flagged
                  from (select s.*, a.cap,
                               s.state = 'reading' and greatest(s.reading_heard_at, s.state_changed_at)
                                   > now() - (select reading_lapses_after from list_settings) as being_read
                          from studies s
                          left join ageing_caps a using (order_priority)
                         where s.state <> 'finished') as r) as l) as p
 cross join lateral (
       select count(*) as images,
              count(*) filter (where assessed) as images_assessed,
              count(*) filter (where assessed is null and failed_reason is null) as images_waiting,
              min(failed_reason) filter (where assessed is null) as failed_reason
         from images i
        cross join lateral (
              -- null: no answer yet
              select bool_or(f.verdict <> 'not_assessable') as assessed
                from findings f
               where f.sop_instance_uid = i.sop_instance_uid and f.content_sha256 = i.content_sha256
                 and f.purpose <> 'shadow') as f
        where i.study_instance_uid = p.study_instance_uid) as c
 cross join lateral (
       select case when c.images_assessed > 0 then 'scored'
                   when c.images_waiting > 0 then 'waiting'
                   -- somebody must look at what failed, so it outweighs an image that merely is out of scope
                   when coalesce(c.failed_reason, p.parked_reason) is not null then 'failed'
                   when c.images = 0 then 'waiting'
                   else 'not_assessable' end as status) as w
 order by p.position;
