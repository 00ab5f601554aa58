-- When a report is sent again is asked of its call's time.

alter table reports drop column next_at;
