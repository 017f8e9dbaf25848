-- Why: drift is measured on images that are independent of each other, and films of one study are not. Of each study the
-- first film by a model counts, once and for all; films out of scope, such as the other views of a series, are none of
-- the model's: it never saw them.
create view scored_studies as
    select f.model_sha256, f.created_at, f.sop_instance_uid, f.verdict, f.reason, f.p_dislocation, f.p_fracture, f.features,
           i.modality, s.site
      from findings f
      join images i using (sop_instance_uid, content_sha256)
      join studies s using (study_instance_uid)
     where f.purpose = 'primary' and f.reason is distinct from 'out_of_scope'
       and not exists (select from images j join findings e using (sop_instance_uid, content_sha256)
                        where j.study_instance_uid = i.study_instance_uid and e.model_sha256 = f.model_sha256
                          and e.purpose = 'primary' and e.reason is distinct from 'out_of_scope'
                          and (e.created_at, e.id) < (f.created_at, f.id));
