-- Why: whoever may write to the outbox speaks with the worker's voice, to listeners and to the worker itself. A trainer tells
-- of drift and of nothing else.

create function tell_of_drift(event_id text, event json) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if event ->> 'type' is distinct from 'org.cspine.model.drifted.v1' then
        raise insufficient_privilege using message = 'only drift is told of this way';
    end if;
    insert into outbox (destination, event_id, event_type, routing_key, payload)
    values ('results', tell_of_drift.event_id, 'org.cspine.model.drifted.v1', 'model.drifted', event);
end $$;
revoke execute on function tell_of_drift(text, json) from public;
