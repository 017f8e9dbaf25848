-- Why: a network that may serve is on record with its card, who put it there, and why in spite of what the card says.

create table models (
    -- of the file: its name
    sha256        sha256_hex primary key,
    architecture  text not null check (architecture ~ '^[a-z0-9_]+$'),
    size_bytes    bigint not null check (size_bytes > 0),
    -- as in the file; parent, data digest and figures are in it
    card          jsonb not null check (jsonb_typeof(card) = 'object'),
    registered_at timestamptz not null default now(),
    registered_by short_text not null,
    -- why it was registered in spite of its collapse
    forced_reason short_text,

    constraint the_card_is_of_this_architecture check (card ->> 'architecture' is not distinct from architecture),
    constraint a_collapsed_model_is_forced check (card ->> 'collapsed' is null or forced_reason is not null)
);
