-- Enrollments are named by a number, and one that is over stays visible as used, expired or revoked.
alter table enrollment_tokens
  add column enrollment_no int not null generated always as identity unique,
  add column uses int not null default 1,
  add column reason text not null default '',
  add column revoked_at timestamptz;

-- Certificates that open the Admin service over the network.
create table admin_certificates (
  serial text primary key,
  name text not null,
  key_fingerprint bytea not null,
  issued_at timestamptz not null,
  ends_at timestamptz not null,
  created_by text not null,
  revoked_at timestamptz,
  revoked_by text
);
