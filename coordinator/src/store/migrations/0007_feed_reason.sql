-- What a fetch that brought no list said, or why its list is held.

alter table feed_fetches add column reason text;
