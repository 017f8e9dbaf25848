-- Why: the answer to an image happens once, whatever is delivered again, and is never an impossible one.

create table findings (
    id               bigint generated always as identity primary key,
    sop_instance_uid dicom_uid not null,
    content_sha256   sha256_hex not null,
    model_sha256     sha256_hex not null,
    purpose          text not null check (purpose in ('primary', 'shadow', 'rescore')),
    verdict          text not null check (verdict in ('dislocation', 'fracture', 'normal', 'not_assessable')),
    reason           text,
    flagged          boolean not null,
    p_dislocation    real check (p_dislocation between 0 and 1),
    p_fracture       real check (p_fracture between 0 and 1),
    p_normal         real check (p_normal between 0 and 1),
    -- what a flagged image counts as: the likelier injury, whatever the verdict; in doubt the more urgent one
    injury           text generated always as (
        case when flagged then case when p_dislocation >= p_fracture then 'dislocation' else 'fracture' end end
    ) stored,
    saliency_class   text check (saliency_class in ('dislocation', 'fracture', 'normal')),
    saliency_method  text check (saliency_method ~ '^[a-z_]+$'),
    -- 8-bit grey PNG at the network's resolution; overlays are composed when someone looks
    heatmap_png      bytea,
    created_at       timestamptz not null default now(),

    foreign key (sop_instance_uid, content_sha256) references images,
    constraint probabilities_if_and_only_if_assessed
        check (num_nonnulls(p_dislocation, p_fracture, p_normal) = case verdict when 'not_assessable' then 0 else 3 end),
    constraint probabilities_sum_to_one check (abs(p_dislocation + p_fracture + p_normal - 1) < 1e-3),
    constraint verdict_is_the_likeliest_class check (
        case verdict when 'dislocation' then p_dislocation when 'fracture' then p_fracture when 'normal' then p_normal end
        >= greatest(p_dislocation, p_fracture, p_normal)),
    constraint only_an_assessed_image_is_flagged check (not (flagged and verdict = 'not_assessable')),
    constraint reason_says_why_not_assessable check (
        case verdict
            when 'not_assessable' then coalesce(reason in ('unsupported_transfer_syntax', 'out_of_scope', 'scope_unknown',
                                                           'colour', 'constant', 'too_small'), false)
            else coalesce(reason in ('scope_unconfirmed', 'conflict'), true)
        end),
    constraint saliency_is_whole check (num_nonnulls(saliency_class, saliency_method, heatmap_png) in (0, 3)),
    constraint only_an_answer_is_explained check (not (saliency_class is not null and verdict = 'not_assessable'))
);
-- a finding happens once, whatever model serves when its message comes again
create unique index one_primary_finding_an_image on findings (sop_instance_uid, content_sha256)
    where purpose = 'primary';
-- shadows and rescores happen once a model
create unique index one_other_finding_a_model on findings (sop_instance_uid, content_sha256, model_sha256, purpose)
    where purpose <> 'primary';
