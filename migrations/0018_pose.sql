-- Why: a heatmap lies on the image as the network was shown it, upright and in its true proportions, and the stored image
-- may be turned, mirrored or of pixels that are not square. Whoever lays one on the other needs to know what was done.

alter table findings
    -- what takes the stored image to where the heatmap lies on it: EXIF's number, 1 as stored
    add column orientation smallint,
    -- the height of a pixel over its width, then
    add column pixel_aspect real,
    -- of findings before this both are null: nothing was done to the stored image
    add constraint a_heatmap_has_its_pose check (
        (orientation is null) = (pixel_aspect is null) and (orientation is null or heatmap_png is not null)
        and coalesce(orientation between 1 and 8 and pixel_aspect between 0.2 and 5, true)) not valid;
