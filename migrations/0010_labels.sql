-- Why: what people say of images is kept whole, later words beside earlier ones; and a patient whom a network learned from
-- never measures it.

create table reviews (
    id               bigint generated always as identity primary key,
    -- the event that said it, or the import's file and line
    source           short_text not null,
    event_id         short_text not null,
    -- no reference to images: a label may come before its image does
    sop_instance_uid dicom_uid not null,
    content_sha256   sha256_hex not null,
    label            text not null check (label in ('dislocation', 'fracture', 'normal', 'unusable')),
    -- a pseudonym
    reviewer         short_text not null,
    label_source     text not null check (label_source in ('ct', 'consensus', 'radiologist', 'qa')),
    answer_seen      boolean not null,
    confirmed_at     timestamptz not null,
    -- the event id, of the same source, that this one corrects
    supersedes       short_text,
    received_at      timestamptz not null default now(),
    constraint a_label_comes_once unique (source, event_id),
    constraint nothing_corrects_itself check (supersedes <> event_id)
);
create index reviews_of_an_image on reviews (sop_instance_uid, content_sha256);
create index reviews_that_correct on reviews (source, supersedes) where supersedes is not null;

-- How much a label weighs, by what it rests on.
create function label_rank(label_source text) returns integer immutable language sql
    return array_position(array['qa', 'radiologist', 'consensus', 'ct'], label_source);

-- What counted as of a review: not corrected by then, and the reviewer's last word on the image by then.
create function current_reviews(through bigint) returns setof reviews stable language sql begin atomic
    select r.*
      from reviews r
     where r.id <= through
       -- a correction may say that another image was meant
       and not exists (select from reviews s
                        where s.source = r.source and s.supersedes = r.event_id and s.id <= through)
       and not exists (select from reviews s
                        where s.sop_instance_uid = r.sop_instance_uid and s.content_sha256 = r.content_sha256
                          and s.reviewer = r.reviewer and (s.confirmed_at, s.id) > (r.confirmed_at, r.id)
                          and s.id <= through);
end;

-- The keyed hash's key, made once: with another one patients would change sides.
create table split_key (
    only_row boolean primary key default true check (only_row),
    key      bytea not null default sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
);
insert into split_key default values;

-- For ever. A patient is a pseudonym, or 'study:' and a study's UID where there is none. A study has a row beside its
-- patient's, on the same side: should it become another patient's, it is seen that it was dealt already.
create table patient_sets (
    patient     text primary key check (length(patient) between 1 and 600),
    set         text not null check (set in ('training', 'validation', 'evaluation')),
    assigned_at timestamptz not null default now()
);

-- Where a patient belongs that has no row yet: 70, 15 and 15 of a hundred; without a pseudonym never to evaluation.
create function drawn_set(patient text) returns text stable language plpgsql as $$
declare
    hash bytea := (select sha256(key || convert_to(patient, 'UTF8')) from split_key);
    draw integer := (get_byte(hash, 0) * 65536 + get_byte(hash, 1) * 256 + get_byte(hash, 2)) % 100;
begin
    return case when draw < 70 then 'training'
                when draw < 85 or patient like 'study:%' then 'validation'
                else 'evaluation' end;
end $$;

-- Images that came with the first champion: some to replay beside new ones, some to measure every challenger with.
create table reference_images (
    content_sha256 sha256_hex primary key,
    object_key     text not null check (length(object_key) between 1 and 1024),
    media_type     short_text not null,
    label          text not null check (label in ('dislocation', 'fracture', 'normal')),
    patient        text not null references patient_sets,
    site           short_text,
    added_at       timestamptz not null default now(),
    added_by       short_text not null
);

-- Two pseudonyms that turned out to be one person.
create table patient_merges (
    from_patient text not null check (length(from_patient) between 1 and 512),
    into_patient text not null check (length(into_patient) between 1 and 512),
    merged_by    short_text not null,
    merged_at    timestamptz not null default now(),
    primary key (from_patient, into_patient),
    constraint nobody_is_merged_into_himself check (from_patient <> into_patient),
    constraint only_pseudonyms_are_merged check (from_patient not like 'study:%' and into_patient not like 'study:%')
);
create index patient_merges_into on patient_merges (into_patient);

-- The other pseudonyms of a person, over any number of merges.
create function aliases(patient text) returns setof text stable language sql begin atomic
    with recursive person (name) as (
        select patient
        union
        select m.name
          from person p,
               lateral (select into_patient from patient_merges where from_patient = p.name
                        union all
                        select from_patient from patient_merges where into_patient = p.name) as m (name)
    )
    select name from person where name <> patient;
end;

-- Every labelled image that is here, with its one label as of a review, its patient's set, and what forbids its use.
create function labelled_through(through bigint)
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
               (array_agg(r.label order by r.confirmed_at desc, r.id desc) filter (where rank = top))[1] as label,
               max(r.label_source) filter (where rank = top) as label_source,
               bool_or(r.answer_seen) filter (where rank = top) as answer_seen,
               count(distinct r.label) filter (where rank = top) > 1 as disputed,
               max(r.id) as review_id,
               max(r.confirmed_at) as confirmed_at
          from ranked r
         group by r.sop_instance_uid, r.content_sha256
    ), owned as (
        select j.*, i.object_key, i.media_type, i.modality, i.registered_at, s.site,
               coalesce(s.patient_key, 'study:' || s.study_instance_uid) as patient,
               'study:' || s.study_instance_uid as study_as_patient
          from judged j
          join images i using (sop_instance_uid, content_sha256)
          join studies s using (study_instance_uid)
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

-- As of now.
create view labelled_images as select * from labelled_through(9223372036854775807);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% keeps what it has', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger reference_images_are_frozen before update or delete or truncate on reference_images
    for each statement execute function refuse_change();
create trigger reviews_are_kept before update or delete or truncate on reviews
    for each statement execute function refuse_change();
create trigger sides_are_for_ever before update or delete or truncate on patient_sets
    for each statement execute function refuse_change();
