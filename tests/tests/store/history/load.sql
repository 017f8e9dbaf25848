-- Years of a hospital: $finished finished studies and $open on the list, an image and a finding each, with what goes along.
-- Made by the server itself, into tables without indexes and checks of references: those come after.

-- UIDs, hashes and times of study number n; the last ones are on the list.
create function test_uid(kind text, n bigint) returns text immutable language sql
    return '1.2.826.0.1.3680043.8.498.' || kind || '.' || n;
create function test_sha256(n bigint) returns text immutable language sql
    return encode(sha256(int8send(n)), 'hex');

create unlogged table test_studies as
select n, n > $finished as is_open, hashint8(n) & 1023 as dice,
       now() - make_interval(secs => ($finished + $open - n) * (case when n > $finished then 3.0 else 300.0 * 1000000 / $finished end)) as at
  from generate_series(1, $finished + $open) as n;

insert into studies (study_instance_uid, accession_number, patient_key, site, order_priority, arrived_at, state,
                     state_changed_at, flagged, ai_level, verdict, listed_level, listed_flagged)
select test_uid('1', n), 'A' || n, 'patient-' || n / 2, 'site-' || n % 3,
       (array['stat', 'urgent', 'routine', 'routine'])[1 + n % 4], at, case when is_open then 'open' else 'finished' end,
       at, dice < 100, case when dice < 30 then 0 when dice < 100 then 1 end,
       case when dice < 30 then 'dislocation' when dice < 100 then 'fracture' else 'normal' end,
       least((array[0, 2, 3, 3])[1 + n % 4], case when dice < 30 then 0 when dice < 100 then 1 end), dice < 100
  from test_studies;

insert into images (sop_instance_uid, content_sha256, study_instance_uid, series_instance_uid, object_key, media_type,
                    size_bytes, modality, body_part, view, event_source, event_id, event_time, registered_at)
select test_uid('3', n), test_sha256(n), test_uid('1', n), test_uid('2', n), 'images/2026/11/30/' || test_uid('3', n) || '.dcm',
       'application/dicom', 8000000, 'DX', 'CSPINE', 'LL', '/gateway', 'event-' || n, at, at
  from test_studies;

-- Of some on the list another answer is awaited.
insert into awaited_answers (sop_instance_uid, content_sha256, expected_at)
select test_uid('3', n), test_sha256(n), at from test_studies where is_open and n % 5 = 0;

-- A model answered for half of them, a later one for the rest, and its shadow for the last tenth.
insert into findings (sop_instance_uid, content_sha256, model_sha256, purpose, verdict, flagged, p_dislocation, p_fracture,
                      p_normal, created_at, heatmap_png, saliency_class, saliency_method, features)
select test_uid('3', n), test_sha256(n), test_sha256(-(n / (($finished + $open) / 2) + 1)), 'primary',
       case when dice < 30 then 'dislocation' when dice < 100 then 'fracture' else 'normal' end, dice < 100,
       case when dice < 30 then 0.75 else 0.125 end, case when dice between 30 and 99 then 0.75 else 0.125 end,
       case when dice < 100 then 0.125 else 0.75 end, at + interval '2 seconds',
       heatmap, case when heatmap is not null then 'normal' end, case when heatmap is not null then 'hirescam' end,
       features
  from test_studies,
       -- the last tenth has them: the rest is older than they are kept
       lateral (select case when n > ($finished + $open) * 0.9 then '\x89504e47'::bytea end as heatmap,
                       case when n > ($finished + $open) * 0.9 then '\x3c003c00'::bytea end as features) as kept;
insert into findings (sop_instance_uid, content_sha256, model_sha256, purpose, verdict, flagged, p_dislocation, p_fracture,
                      p_normal, created_at)
select test_uid('3', n), test_sha256(n), test_sha256(-9), 'shadow', 'normal', false, 0.125, 0.125, 0.75, at
  from test_studies where n > ($finished + $open) * 0.9;

insert into priority_changes (study_instance_uid, reason, from_level, to_level, from_flagged, to_flagged, changed_at)
select test_uid('1', n), case when dice < 30 then 'flagged_dislocation' else 'flagged_fracture' end, 3,
       case when dice < 30 then 0 else 1 end, false, true, at
  from test_studies where dice < 100;
insert into outbox (event_id, event_type, routing_key, payload, created_at, sent_at)
select 'out-' || n, 'org.cspine.finding.created.v1', 'finding.created', '{}', at, case when n % 1000 > 0 then at end
  from test_studies where n > ($finished + $open) * 0.9;
insert into parked_messages (source, event_id, routing_key, body, body_sha256, body_size_bytes, headers, reason, detail,
                             attempts, parked_at, resolved_at, resolution, resolved_by, resolved_why)
select '/gateway', 'bad-' || n, 'image.arrived.routine', '{}', test_sha256(n), 2, '{}', 'object_missing', 'gone', 3, at,
       case when n % 1000 > 0 then at end, case when n % 1000 > 0 then 'dismissed' end,
       case when n % 1000 > 0 then 'it' end, case when n % 1000 > 0 then 'gone' end
  from test_studies where n % 50 = 0;
insert into status_events (study_instance_uid, source, event_id, state, sent_at, received_at)
select test_uid('1', n), '/ris', 'finished-' || n, 'finished', at, at
  from test_studies where n > ($finished + $open) * 0.9;
-- One image of fifty was labelled.
insert into reviews (source, event_id, sop_instance_uid, content_sha256, label, reviewer, label_source, answer_seen,
                     confirmed_at)
select '/qa', 'label-' || n, test_uid('3', n), test_sha256(n), case when dice < 100 then 'fracture' else 'normal' end,
       'reader-' || n % 5, 'radiologist', false, at
  from test_studies where n % 50 = 0;
