-- A refresh of 100,000 entries spent half of its time in what kept these rows: a reference looked up a row, and two indexes
-- where one serves both ways in, since whoever asks by feed wants all of it.

alter table feed_prefixes
  drop constraint feed_prefixes_feed_no_fkey,
  drop constraint feed_prefixes_pkey,
  add primary key (prefix, feed_no);
drop index feed_prefixes_prefix;
