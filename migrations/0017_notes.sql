-- Why: what was odd about a file or its event and was tolerated is on record with the answer, so that a site finds the
-- device or the sender that writes such things.

alter table findings
    -- codes as `crates/domain/src/note.rs` lists them
    add column notes text[] not null default '{}',
    add constraint notes_are_codes check (
        array_to_string(notes, ',') ~ '^([a-z][a-z0-9_]{0,63}(,[a-z][a-z0-9_]{0,63})*)?$'
        -- neither null nor empty, nor two codes in one
        and notes = string_to_array(array_to_string(notes, ','), ',')) not valid; -- every row there is has none

-- Why: devices write UIDs with leading zeros, and all other systems know their images by them.
alter domain dicom_uid drop constraint dicom_uid_check;
alter domain dicom_uid add constraint dicom_uid_check
    check (value ~ '^[0-9]+(\.[0-9]+)*$' and length(value) <= 64) not valid; -- it only widens

-- Why: a message that cannot be taken as an arrival may still name its study, and a study that nobody sees on the list is
-- read by nobody.
alter table studies
    -- why a message of an image that cannot be named was parked; null again as soon as it was sent again
    add column parked_reason text check (parked_reason ~ '^[a-z_]+$');

-- as before, but a study with such a message has failed, unless an image of it was scored or waits to be
create or replace view worklist as
with image_answers as (
    select i.study_instance_uid, i.failed_reason,
           -- null: no answer yet
           (select bool_or(f.verdict <> 'not_assessable')
              from findings f
             where f.sop_instance_uid = i.sop_instance_uid and f.content_sha256 = i.content_sha256
               and f.purpose <> 'shadow') as assessed
      from images i
      join studies s using (study_instance_uid)
     where s.state <> 'finished'
), counted as (
    select study_instance_uid,
           count(*) as images,
           count(*) filter (where assessed) as images_assessed,
           count(*) filter (where assessed is null and failed_reason is null) as images_waiting,
           min(failed_reason) filter (where assessed is null) as failed_reason
      from image_answers
     group by study_instance_uid
), listed as (
    select s.*,
           case s.state when 'reading' then s.listed_level
                        else study_level(s.order_priority, s.ai_level, s.arrived_at, now()) end as level,
           case s.state when 'reading' then s.listed_flagged else s.flagged end as placed_as_flagged,
           coalesce(c.images, 0) as images,
           coalesce(c.images_assessed, 0) as images_assessed,
           coalesce(c.failed_reason, s.parked_reason) as failed_reason,
           case when c.images_assessed > 0 then 'scored'
                when c.images_waiting > 0 then 'waiting'
                -- somebody must look at what failed, so it outweighs an image that merely is out of scope
                when coalesce(c.failed_reason, s.parked_reason) is not null then 'failed'
                when c.images is null then 'waiting'
                else 'not_assessable' end as status
      from studies s
      left join counted c using (study_instance_uid)
     where s.state <> 'finished'
)
select row_number() over (order by level, placed_as_flagged desc, arrived_at, study_instance_uid) as position,
       study_instance_uid,
       accession_number,
       order_priority,
       level,
       flagged,
       case when status in ('scored', 'not_assessable') then verdict end as verdict,
       status,
       case status when 'failed' then failed_reason
                   when 'not_assessable' then reason
                   when 'waiting' then case when conflict then 'conflict' end
                   -- marks on an answer: the gravest first
                   else coalesce(case when conflict then 'conflict' end, reason, failed_reason) end as reason,
       arrived_at,
       extract(epoch from now() - arrived_at)::bigint as waited_seconds,
       images,
       images_assessed,
       state,
       conflict
  from listed
 order by position;

create index parked_of_a_study on parked_messages (study_instance_uid) where sop_instance_uid is null;
