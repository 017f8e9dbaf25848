-- Why: the reading list, in the one order everybody shows. Position 1 is next.
--
-- A study being read keeps its row and its place (its listed level and flag); an open one has the level of this moment,
-- aged by the database's clock, swept or not.

create view worklist as
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
           c.failed_reason,
           case when c.images_assessed > 0 then 'scored'
                -- somebody must look at what failed, so it outweighs an image that merely is out of scope
                when c.images_waiting > 0 or c.images is null then 'waiting'
                when c.failed_reason is not null then 'failed'
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
