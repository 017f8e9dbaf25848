-- Why: accepted = findings + parked messages. An image that is neither yet stands here, so that one whose message was lost
-- with a queue is found without a look at the images of all years, and published again.

create table awaited_answers (
    sop_instance_uid dicom_uid not null,
    content_sha256   sha256_hex not null,
    -- when its message was last known to be on its way: an answer is due a while after that. In the future while the
    -- message is on the retry ladder
    expected_at      timestamptz not null default now(),
    -- how often its arrival was published again
    republished      integer not null default 0 check (republished >= 0),
    -- one reconciler at a time looks after it
    claimed_until    timestamptz,
    primary key (sop_instance_uid, content_sha256),
    foreign key (sop_instance_uid, content_sha256) references images on delete cascade
);
create index awaited_answers_by_time on awaited_answers (expected_at);

-- The promise is kept for whoever writes: what is registered is awaited until it has a finding or was parked, and again
-- when its parked message is sent again.
create function await_answer() returns trigger language plpgsql as $$
begin
    insert into awaited_answers (sop_instance_uid, content_sha256)
    select new.sop_instance_uid, new.content_sha256
     where not exists (select from findings f
                        where f.sop_instance_uid = new.sop_instance_uid and f.content_sha256 = new.content_sha256
                          and f.purpose = 'primary')
    on conflict (sop_instance_uid, content_sha256) do nothing;
    return null;
end $$;
create function await_answer_no_longer() returns trigger language plpgsql as $$
begin
    delete from awaited_answers
     where sop_instance_uid = new.sop_instance_uid and content_sha256 = new.content_sha256;
    return null;
end $$;

create trigger an_image_awaits_its_answer after insert on images
    for each row when (new.failed_reason is null) execute function await_answer();
create trigger a_parked_image_awaits_nothing after update of failed_reason on images
    for each row when (old.failed_reason is null and new.failed_reason is not null)
    execute function await_answer_no_longer();
create trigger an_image_sent_again_awaits_its_answer after update of failed_reason on images
    for each row when (old.failed_reason is not null and new.failed_reason is null) execute function await_answer();
create trigger an_answered_image_awaits_nothing after insert on findings
    for each row when (new.purpose = 'primary') execute function await_answer_no_longer();

-- Those that wait already. Of each image once, while nothing else writes.
insert into awaited_answers (sop_instance_uid, content_sha256, expected_at)
select i.sop_instance_uid, i.content_sha256, i.registered_at
  from images i
 where i.failed_reason is null
   and not exists (select from findings f
                    where (f.sop_instance_uid, f.content_sha256) = (i.sop_instance_uid, i.content_sha256)
                      and f.purpose = 'primary')
on conflict do nothing;
