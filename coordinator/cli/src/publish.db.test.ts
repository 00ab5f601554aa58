import { test } from "node:test";
import { startCoordinator } from "../../src/drivers/coordinator.fixture.ts";
import { runScript } from "./cli-script.fixture.ts";

test("tokens for published lists", async (t) => {
  const { adminSocket } = await startCoordinator(t);
  await runScript(
    `
$ fleetban publish
no tokens; make one: fleetban publish tokens create NAME
! nothing is published: set publish.port in coordinator.yaml

$ fleetban publish tokens create opnsense --own-use --reason 'the office'
TOKEN
! nothing is published yet: set publish.port in coordinator.yaml

$ fleetban publish tokens create partner --lists fleet --max-rank 2 --from 192.0.2.7,198.51.100.0/24 --valid 30d
TOKEN
! nothing is published yet: set publish.port in coordinator.yaml

$ fleetban publish tokens create partner
! fleetban: error: token partner: there is one of that name
! fleetban: hint: take another name, or first: fleetban publish tokens revoke partner
= 2

$ fleetban publish tokens create other --lists exempt
! fleetban: error: list exempt: can't be published
! fleetban: hint: there are: fleet, feeds
= 2

$ fleetban publish tokens create other --max-rank 999
! fleetban: error: option '--max-rank <rank>' argument '999' is invalid
! fleetban: hint: must be 0 to 255; see fleetban publish tokens create --help
= 2

$ fleetban publish tokens create other --from here
! fleetban: error: range here: is no address and no network
! fleetban: hint: write it like 192.0.2.7 or 192.0.2.0/24
= 2

$ fleetban publish tokens revoke partner --reason 'left us'
token partner is revoked

$ fleetban publish tokens revoke nobody
! fleetban: error: token nobody: is not in use
! fleetban: hint: \`fleetban publish tokens list\` shows those that are open
= 1

$ fleetban publish tokens
NUMBER  NAME  STATE  LISTS  TERMS  ENDS  REQUESTS  USED  FROM  PROGRAM
  2  partner  revoked  fleet up to rank 2  public  WHEN  0  never  (none)  (none)
  1  opnsense  open  fleet,feeds  own use  never  0  never  (none)  (none)
! nothing is published: set publish.port in coordinator.yaml

$ fleetban audit
NUMBER  WHEN (UTC)  WHO  ACT  WHAT  REASON
  3  TIME  tester  publish tokens revoke  partner  left us
  2  TIME  tester  publish tokens create  partner  (none)
  1  TIME  tester  publish tokens create  opnsense  the office
`,
    adminSocket,
  );
});
