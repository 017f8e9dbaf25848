-- Why: a network without a scope gate answers every image with a class, also one that is no neck. Such a model is on
-- record only with who forced it and why, like one that has collapsed; so no service can serve it without a word.

update models set forced_reason = 'registered before models without a scope gate were refused'
 where card ->> 'gate' is null and forced_reason is null;
alter table models
    add constraint a_model_without_scope_gate_is_forced check (card ->> 'gate' is not null or forced_reason is not null);
