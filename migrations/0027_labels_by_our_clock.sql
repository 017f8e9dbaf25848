-- Why: no sender's clock decides. A label dated next year would outlast all that its reader says until then; it counts as
-- of when it came.

alter table reviews add column counts_at timestamptz not null generated always as (least(confirmed_at, received_at)) stored;

-- As before, but for the time.
create or replace function current_reviews(through bigint) returns setof reviews stable language sql begin atomic
    select r.*
      from reviews r
     where r.id <= through
       -- a correction may say that another image was meant
       and not exists (select from reviews s
                        where s.source = r.source and s.supersedes = r.event_id and s.id <= through)
       and not exists (select from reviews s
                        where s.sop_instance_uid = r.sop_instance_uid and s.content_sha256 = r.content_sha256
                          and s.reviewer = r.reviewer and (s.counts_at, s.id) > (r.counts_at, r.id)
                          and s.id <= through);
end;

create or replace function labelled_through(through bigint)
returns table (
    sop_instance_uid text, content_sha256 text, label text, label_source text, answer_seen boolean, disputed boolean,
    quarantined boolean, set text, patient text, study_as_patient text, site text, modality text, object_key text,
    media_type text, review_id bigint, confirmed_at timestamptz, registered_at timestamptz
) stable language sql begin atomic
    with ranked as (
        select c.*, label_rank(c.label_source) as rank,
               max(label_rank(c.label_source)) over (partition by c.sop_instance_uid, c.content_sha256) as top
          from current_reviews(through) c
    ), judged as (
        select r.sop_instance_uid, r.content_sha256,
               -- of the weightiest source there is: the latest word, and whether two people differ
               (array_agg(r.label order by r.counts_at desc, r.id desc) filter (where rank = top))[1] as label,
               max(r.label_source) filter (where rank = top) as label_source,
               bool_or(r.answer_seen) filter (where rank = top) as answer_seen,
               count(distinct r.label) filter (where rank = top) > 1 as disputed,
               max(r.id) as review_id,
               max(r.counts_at) as confirmed_at
          from ranked r
         group by r.sop_instance_uid, r.content_sha256
    ), owned as (
        select j.*, i.object_key, i.media_type, i.modality, i.registered_at, s.site,
               coalesce(s.patient_key, 'study:' || s.study_instance_uid) as patient,
               'study:' || s.study_instance_uid as study_as_patient
          from judged j
         -- `offset 0`: label by label, by the keys; joined freely, all images of all years would be read
         cross join lateral (select * from images i
                              where i.sop_instance_uid = j.sop_instance_uid and i.content_sha256 = j.content_sha256
                             offset 0) as i
         cross join lateral (select * from studies s where s.study_instance_uid = i.study_instance_uid offset 0) as s
    ), sided as (
        select o.*, others.sets as other_sets, t.set as study_set, e.set as reference_set,
               -- who has no side yet has that of his other pseudonyms, or the draw of the first: one person, one side
               coalesce(p.set, others.sets[1], drawn_set(least(o.patient, others.first_name))) as set
          from owned o
          left join patient_sets p on p.patient = o.patient
          left join patient_sets t on t.patient = o.study_as_patient
          left join (reference_images r join patient_sets e on e.patient = r.patient)
                 on r.content_sha256 = o.content_sha256
         cross join lateral (
               select min(a.name) as first_name,
                      array_agg(s.set order by s.assigned_at, s.patient) filter (where s.set is not null) as sets
                 from aliases(o.patient) as a (name)
                 left join patient_sets s on s.patient = a.name) as others
    )
    select d.sop_instance_uid, d.content_sha256, d.label, d.label_source, d.answer_seen, d.disputed,
           -- one person on two sides: by a merge, or by a pseudonym that came after the study was dealt
           coalesce(d.set <> any (d.other_sets), false) or coalesce(d.set <> d.study_set, false)
           -- one image on two sides: it came with a champion, or under another patient too
           or coalesce(d.set <> d.reference_set, false)
           or min(d.set) over (partition by d.content_sha256) <> max(d.set) over (partition by d.content_sha256),
           d.set, d.patient, d.study_as_patient, d.site, d.modality, d.object_key, d.media_type, d.review_id,
           d.confirmed_at, d.registered_at
      from sided d;
end;
