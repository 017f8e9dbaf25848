-- Why: the scope gate on pixels says that an image is nothing the network was made for, or an unusual one.
--
-- The constraint only widens, so old workers go on, and every row that is there meets it: looking at them all under the
-- lock (without `not valid`) would find nothing.
alter table findings
    drop constraint reason_says_why_not_assessable,
    add constraint reason_says_why_not_assessable check (
        case verdict
            when 'not_assessable' then coalesce(reason in ('unsupported_transfer_syntax', 'out_of_scope', 'scope_unknown',
                                                           'colour', 'constant', 'too_small', 'out_of_distribution'), false)
            else coalesce(reason in ('scope_unconfirmed', 'atypical', 'conflict'), true)
        end) not valid;
