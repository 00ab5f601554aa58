-- Jails may go to lists of their own: what is known of a prefix is known for each list.

alter table offenders add column list_no int not null default 2;
alter table offenders alter column list_no drop default;
alter table offenders drop constraint offenders_pkey;
alter table offenders add primary key (prefix, list_no);
