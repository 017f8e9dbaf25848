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
    constraint a_label_comes_once unique (source, event_id)
);
create index reviews_of_an_image on reviews (sop_instance_uid, content_sha256);

-- What still counts: not corrected, and the reviewer's last word on the image.
create view current_reviews as
select r.*, array_position(array['qa', 'radiologist', 'consensus', 'ct'], r.label_source) as rank
  from reviews r
 where not exists (select from reviews s
                    where s.sop_instance_uid = r.sop_instance_uid and s.content_sha256 = r.content_sha256
                      and ((s.source = r.source and s.supersedes = r.event_id)
                           or (s.reviewer = r.reviewer and (s.confirmed_at, s.id) > (r.confirmed_at, r.id))));

-- The keyed hash's key, made once: with another one patients would change sides.
create table split_key (
    only_row boolean primary key default true check (only_row),
    key      bytea not null default sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
);
insert into split_key default values;

-- For ever. A patient is a pseudonym, or 'study:' and a study's UID where there is none.
create table patient_sets (
    patient     text primary key check (length(patient) between 1 and 600),
    set         text not null check (set in ('training', 'validation', 'evaluation')),
    assigned_at timestamptz not null default now()
);

-- Where a patient belongs that has no row yet: 70, 15 and 15 of a hundred; without a pseudonym never to evaluation.
create function drawn_set(patient text) returns text stable language sql
    return (
        select case when draw < 70 then 'training'
                    when draw < 85 or patient like 'study:%' then 'validation'
                    else 'evaluation' end
          from (select (get_byte(hash, 0) * 65536 + get_byte(hash, 1) * 256 + get_byte(hash, 2)) % 100 as draw
                  from (select sha256(key || convert_to(patient, 'UTF8')) as hash from split_key) as hashed) as drawn
    );

-- Two pseudonyms that turned out to be one person.
create table patient_merges (
    from_patient text primary key,
    into_patient text not null,
    merged_by    short_text not null,
    merged_at    timestamptz not null default now(),
    constraint nobody_is_merged_into_himself check (from_patient <> into_patient)
);

-- Every labelled image that is here, with its one label, its patient's set, and what forbids its use.
create view labelled_images as
with judged as (
    select sop_instance_uid, content_sha256,
           (array_agg(label order by rank desc, confirmed_at desc, id desc))[1] as label,
           (array_agg(label_source order by rank desc))[1] as label_source,
           bool_or(answer_seen) as answer_seen,
           max(id) as review_id,
           max(confirmed_at) as confirmed_at,
           -- of the weightiest source there is: two people who differ
           count(distinct label) filter (where rank = top) > 1 as disputed
      from (select *, max(rank) over (partition by sop_instance_uid, content_sha256) as top from current_reviews) as c
     group by sop_instance_uid, content_sha256
), owned as (
    select j.*, i.study_instance_uid, i.object_key, i.media_type, i.modality, s.site,
           coalesce(s.patient_key, 'study:' || s.study_instance_uid) as patient,
           'study:' || s.study_instance_uid as study_as_patient
      from judged j
      join images i using (sop_instance_uid, content_sha256)
      join studies s using (study_instance_uid)
)
select o.*,
       coalesce(p.set, drawn_set(o.patient)) as set,
       -- one person on two sides: by a merge, or by a pseudonym that came after the study was dealt
       exists (select from patient_sets other
                where other.set <> coalesce(p.set, drawn_set(o.patient))
                  and (other.patient = o.study_as_patient
                       or other.patient in (select into_patient from patient_merges where from_patient = o.patient)
                       or other.patient in (select from_patient from patient_merges where into_patient = o.patient)))
           as quarantined
  from owned o
  left join patient_sets p using (patient);

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

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% keeps what it has', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger reference_images_are_frozen before update or delete or truncate on reference_images
    for each statement execute function refuse_change();
create trigger sides_are_for_ever before update or delete or truncate on patient_sets
    for each statement execute function refuse_change();
