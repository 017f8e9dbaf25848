-- Who may do what: a group role a service, with the least rights. A site gives each service a login of its own and makes it
-- a member (`grant cspine_worker to …`). Run after every migration; what is not named here is taken away. Every table of the
-- schema is named, if only as nobody's.
do $$
declare
    wanted record;
begin
    -- roles belong to the whole server: another database's migration may make them beside us
    perform pg_advisory_xact_lock(hashtextextended('cspine roles', 0));
    for wanted in select unnest(array['cspine_worker', 'cspine_trainer', 'cspine_reader']) as role loop
        if not exists (select from pg_roles where rolname = wanted.role) then
            begin
                execute format('create role %I nologin', wanted.role);
            exception
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then
                    raise notice 'role % is not there, and this role may not create it: its rights are not granted', wanted.role;
            end;
        end if;
        if exists (select from pg_roles where rolname = wanted.role) then
            execute format('revoke all on all tables in schema public from %I', wanted.role);
        end if;
    end loop;

    for wanted in
        select tables.name as relation, rights.role, rights.may
          from (values
            -- the worker registers, answers, orders the list, tells of it, and clears away
            ('cspine_worker', 'select, insert, update', 'studies, images'),
            ('cspine_worker', 'select, insert', 'findings'),
            -- of a finding only what is kept for a time: its verdict never changes
            ('cspine_worker',
             'update (heatmap_png, saliency_class, saliency_method, orientation, pixel_aspect, features)', 'findings'),
            ('cspine_worker', 'select, insert, delete', 'priority_changes, status_events'),
            ('cspine_worker', 'select, insert, update, delete', 'outbox, parked_messages, awaited_answers'),
            ('cspine_worker', 'select, insert', 'reviews'),
            ('cspine_worker', 'select', 'ageing_caps, list_settings, models, serving, worklist, _sqlx_migrations'),
            -- the trainer learns from what is there, moves models, and tells of drift; the list is none of its business
            ('cspine_trainer', 'select, insert, update', 'models, training_runs, training_requests'),
            ('cspine_trainer', 'select, update', 'serving, trainer_lease'),
            ('cspine_trainer', 'select, insert',
             'model_changes, training_log, evidence, patient_sets, patient_merges, reference_images, reviews, drift_reports'),
            ('cspine_trainer', 'select, insert, delete', 'label_uses'),
            ('cspine_trainer', 'select',
             'studies, images, findings, labelled_images, scored_studies, split_key, _sqlx_migrations'),
            -- whoever shows the list
            ('cspine_reader', 'select', 'worklist')
          ) as rights (role, may, names)
         cross join lateral regexp_split_to_table(rights.names, ',\s*') as tables (name)
         -- a build older than the schema, or newer, grants what there is
         where to_regclass(tables.name) is not null and exists (select from pg_roles where rolname = rights.role)
    loop
        execute format('grant %s on %I to %I', wanted.may, wanted.relation, wanted.role);
    end loop;

    if to_regprocedure('tell_of_drift(text, json)') is not null
       and exists (select from pg_roles where rolname = 'cspine_trainer') then
        grant execute on function tell_of_drift(text, json) to cspine_trainer;
    end if;
end $$;
