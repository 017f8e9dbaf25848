-- Why: a rollback walks the moves of models, so none may be changed or lost.

create trigger model_changes_are_kept before update or delete or truncate on model_changes
    for each statement execute function refuse_change();
