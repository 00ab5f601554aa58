import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "@fleetban/proto/model/prefix";
import { type Candidate, judge } from "./candidate.ts";
import { categoriesOf, parseCategory } from "./categories.ts";
import type { ReportPolicy } from "./report-table.ts";
import type { SightedBy } from "./sighted.ts";

const AT = Date.UTC(2026, 10, 21, 15, 0, 30);
const POLICY: ReportPolicy = {
  mode: "send",
  by: "both",
  jails: { shop: [21], "shop-admin": [18, 21], "*-scan": [14], dovecot: [] },
  agents: 1,
  evidence: true,
  scrub: [],
  againAfterSeconds: 86_400,
  maxAgeSeconds: 172_800,
  quotaShare: 0.8,
};

test("a jail's categories are those of the longest name that fits, the policy's own first", () => {
  for (const [jail, categories] of [
    ["sshd", [18, 22]],
    ["sshd-ddos", [18, 22]],
    ["sshdx", undefined],
    ["postfix-sasl", [18]],
    ["postfix-rbl", [11]],
    ["postfix", [11]],
    ["exim-spam", [11]],
    ["exim", [18]],
    ["nginx-botsearch", [19, 21]],
    ["nginx-http-auth", [18, 21]],
    ["mysqld-auth", [18]],
    ["customer-auth", undefined],
    ["shop", [21]],
    ["shop-admin-2", [18, 21]],
    ["web-scan", [14]],
    ["dovecot", []],
    ["named-refused", []],
    ["constructor", undefined],
  ] as const) {
    assert.deepEqual(categoriesOf(jail, POLICY.jails), categories, jail);
  }
});

test("a category has a name and a number", () => {
  assert.deepEqual(["ssh", "22", "0", "24", "x", "", "constructor"].map(parseCategory), [22, 22, ...new Array(5)]);
});

test("one address is one report, with the categories of all its mapped jails", () => {
  const judged = judge(candidate([sighted(1, "sshd"), sighted(2, "vsftpd"), sighted(3, "unheard-of")]), POLICY, []);
  assert.ok(judged.kind === "report");
  assert.deepEqual([judged.categories, judged.agents], [[5, 18, 22], 2]);
  assert.match(
    judged.comment,
    /^ftp-brute-force, brute-force, ssh: 10 failures in 2 bans by 2 servers of one fleet \(fail2ban sshd, vsftpd\), tcp ssh, 2026-11-21T15:00Z\./,
  );
});

test("what another tool told is not said to be of a fail2ban", () => {
  const by = (...seen: SightedBy[]) => {
    const judged = judge(candidate(seen), POLICY, []);
    return judged.kind === "report" ? /of one fleet(?: \((.*?)\))?,/.exec(judged.comment)?.[1] : judged.kind;
  };
  const isFail2ban = false;
  assert.equal(by(sighted(1, "sshd", { isFail2ban })), "sshd");
  assert.equal(by(sighted(1, "sshd"), sighted(2, "vsftpd", { isFail2ban })), "fail2ban sshd; vsftpd");
  assert.equal(by(sighted(1, "sshd"), sighted(2, "sshd", { isFail2ban })), "fail2ban sshd");
});

test("failures that nobody counted are not told as none", () => {
  const judged = judge(candidate([sighted(1, "sshd", { failures: 0 })]), POLICY, []);
  assert.ok(judged.kind === "report");
  assert.match(judged.comment, /^brute-force, ssh: 1 ban by 1 server of one fleet /);
});

test("what keeps an address off is named", () => {
  for (const [given, policy, why] of [
    [{ address: parsePrefix("10.0.0.1") }, {}, "special-purpose"],
    [{ keptOff: "pardoned" }, {}, "pardoned"],
    [{ keptOff: "own-address" }, {}, "own-address"],
    [{ strikes: 0 }, {}, "not-listed"],
    [{ sighted: [] }, {}, "not-listed"],
    [{ sighted: [sighted(1, "sshd", { protocol: "udp" })] }, {}, "udp"],
    [{ sighted: [sighted(1, "recidive")] }, {}, "unmapped-jail"],
    [{ sighted: [sighted(1, "mine")] }, {}, "unmapped-jail"],
    [{ sighted: [sighted(1, "dovecot")] }, {}, "never-reported"],
    [{ sighted: [sighted(1, "sshd"), sighted(1, "sshd")] }, { agents: 2 }, "too-few-agents"],
  ] as const) {
    const judged = judge({ ...candidate([sighted(1, "sshd")]), ...given }, { ...POLICY, ...policy }, []);
    assert.ok(judged.kind === "left-out" && judged.why === why, why);
  }
});

test("a comment fits, tells no jail of one's own making, and holds no word of ours", () => {
  const evidence = `${"web1.example.org says hello to alice@example.org\n".repeat(50)}${"x y ".repeat(600)}`;
  const jails = [sighted(1, "shop-admin", { evidence, ports: "shop,web1" })];
  const judged = judge(candidate(jails), POLICY, ["web1.example.org", "example.org", "web1"]);
  assert.ok(judged.kind === "report");
  assert.equal(judged.comment.length, 1_024);
  assert.doesNotMatch(judged.comment, /shop|web1|alice|example/);
  const without = judge(candidate(jails), { ...POLICY, evidence: false }, []);
  assert.ok(without.kind === "report" && without.comment.endsWith("Z."));
});

function candidate(by: readonly SightedBy[]): Candidate {
  return { address: parsePrefix("5.6.7.8"), sighted: by, strikes: 1, inFeed: false, keptOff: undefined };
}

function sighted(agentNo: number, jail: string, given: Partial<SightedBy> = {}): SightedBy {
  const facts = { protocol: "tcp", ports: "ssh", bans: 1, failures: 5, firstAtMs: AT, lastAtMs: AT, evidence: "" };
  return { agentNo, jail, isFail2ban: true, ...facts, ...given };
}
