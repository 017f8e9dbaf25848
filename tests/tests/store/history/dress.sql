-- Puts back what bare.sql took, indexes first.
set maintenance_work_mem = '256MB';
do $$
declare back record;
begin
    for back in select statement from test_dress order by step loop
        execute back.statement;
    end loop;
end $$;
drop table test_dress, test_studies;
drop function test_uid;
drop function test_sha256;
