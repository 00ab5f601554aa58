-- A policy goes back by itself then, unless it is confirmed before; null = it need not be.

alter table policies add column confirm_by timestamptz;
