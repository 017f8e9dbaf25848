-- Takes away what slows a load down; dress.sql puts it back.
create table test_dress (step integer, statement text);
insert into test_dress
select 1, pg_get_indexdef(i.indexrelid)
  from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
 where n.nspname = 'public' and t.relname = any ($tables)
   and not exists (select from pg_constraint c where c.conindid = i.indexrelid);
insert into test_dress
select case contype when 'f' then 3 when 'c' then 4 else 2 end,
       format('alter table %s add constraint %I %s%s', conrelid::regclass, conname, pg_get_constraintdef(c.oid),
              case when contype in ('f', 'c') and convalidated then ' not valid' else '' end)
  from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
 where n.nspname = 'public'
   and (t.relname = any ($tables) or c.confrelid in (select oid from pg_class where relname = any ($tables)));
insert into test_dress
select 4, format('alter domain %s add constraint %I %s%s', contypid::regtype, conname, pg_get_constraintdef(oid),
                 case when convalidated then ' not valid' else '' end)
  from pg_constraint where contypid <> 0 and contypid::regtype::text in ('dicom_uid', 'sha256_hex', 'short_text');

insert into test_dress
select 5, format('alter table %I enable trigger user', relation) from unnest($tables) as relation;

do $$
declare gone record;
begin
    for gone in select conrelid::regclass as relation, conname from pg_constraint c
                 join pg_class t on t.oid = c.conrelid
                where t.relname = any ($tables) or confrelid in (select oid from pg_class where relname = any ($tables))
                order by contype = 'f' desc loop
        execute format('alter table %s drop constraint %I', gone.relation, gone.conname);
    end loop;
    for gone in select contypid::regtype as domain, conname from pg_constraint
                 where contypid <> 0 and contypid::regtype::text in ('dicom_uid', 'sha256_hex', 'short_text') loop
        execute format('alter domain %s drop constraint %I', gone.domain, gone.conname);
    end loop;
    for gone in select i.indexrelid::regclass as index from pg_index i join pg_class t on t.oid = i.indrelid
                 where t.relname = any ($tables) loop
        execute format('drop index %s', gone.index);
    end loop;
    for gone in select unnest($tables) as relation loop
        execute format('alter table %I set unlogged', gone.relation);
        execute format('alter table %I disable trigger user', gone.relation);
    end loop;
end $$;
