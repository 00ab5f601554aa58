import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "@fleetban/kit/config";
import { LIST_FLEET, listNo } from "@fleetban/proto/model/listing";
import { listOfJail, weightOf } from "./policy.ts";
import { readPolicy } from "./policy-file.ts";
import { DEFAULT_POLICY, judgementOf } from "./policy-in-force.ts";
import { groupsOfPolicy, listsOfPolicy } from "./policy-lists.ts";

const DAY = 86_400;

test("an empty file is a whole policy", () => {
  assert.deepEqual(DEFAULT_POLICY.ladderSeconds, [3_600, 4 * 3_600, DAY, 7 * DAY, 30 * DAY]);
  assert.deepEqual([DEFAULT_POLICY.policyNo, DEFAULT_POLICY.corroboration, DEFAULT_POLICY.threshold], [0, 1, 1]);
  assert.equal(DEFAULT_POLICY.pruneAfterSeconds, 0);
  assert.equal(DEFAULT_POLICY.widening[4].members, 0, "neighborhoods are not listed unasked");
});

test("mistakes of all kinds are told at once, each with line and remedy", () => {
  const text = [
    "weights:",
    "  treshold: 2",
    "strikes:",
    "  ladder: [1d, 1h]",
    "  maximum: 12h",
    "  minimum: 13h",
    "jails:",
    "  sshd: { weight: -1 }",
    "  nginx: { list: webb }",
    "lists:",
    "  web: { ports: 80-70 }",
    "  shop: { ports: [80, 443] }",
    "  feeds: {}",
    "  Far too long a name: {}",
    "groups:",
    "  edge: { lists: [web, exempt] }",
    "",
  ].join("\n");
  assert.deepEqual(mistakes(text), [
    "policy.yaml:2: weights.treshold is no key of this file; did you mean weights.threshold?",
    "policy.yaml:4: strikes.ladder has 1h after 1d: a later strike would list for less; put them in order",
    "policy.yaml:4: strikes.ladder has 1d, and strikes.maximum is 12h; raise that or leave the rung out",
    "policy.yaml:6: strikes.minimum is longer than strikes.maximum (12h); make one of them fit",
    "policy.yaml:8: jails.sshd.weight is -1: must be a number from 0 to 1000",
    'policy.yaml:9: jails.nginx.list is "webb", which is no list of this file; did you mean web?',
    'policy.yaml:11: lists.web.ports is "80-70": must be ports and ranges like 22 or 80,443,8000-8100, 15 at most',
    'policy.yaml:12: lists.shop.ports is [80,443]: must be one text; write "80,443"',
    "policy.yaml:13: lists.feeds is a name that fleetban uses itself; choose another",
    "policy.yaml:14: lists.Far too long a name must be 1 to 15 of a-z, 0-9 and -, a letter first; choose another",
    'policy.yaml:16: groups.edge.lists is "exempt", which is no list of this file; there are fleet, feeds, web, shop, Far too long a name',
  ]);
});

test("a jail is weighed by its name, else by what it reads; source and protocol take from that", () => {
  const policy = judged("jails: { sshd: { weight: 2 } }\nweights: { log: 0.5, udp: 0.25 }\n");
  const weigh = (jail: string, protocol = "tcp", source: "fail2ban" | "log" = "fail2ban") =>
    weightOf({ jail, protocol, source }, policy);
  assert.deepEqual(
    [weigh("sshd"), weigh("postfix"), weigh("nginx-limit-req"), weigh("x-badbots"), weigh("nginx")],
    [2, 1, 0.6, 0.6, 1],
  );
  assert.deepEqual([weigh("sshd", "udp"), weigh("sshd", "UDP", "log"), weigh("toString")], [0.5, 0.25, 1]);
});

test("text that an attacker can forge, or a sender that he can write, does not list alone", () => {
  for (const told of [
    { jail: "apache-auth", protocol: "tcp", source: "fail2ban" as const },
    { jail: "asterisk", protocol: "udp", source: "fail2ban" as const },
  ]) {
    assert.ok(weightOf(told, DEFAULT_POLICY) < DEFAULT_POLICY.threshold);
  }
});

test("what a jail bans goes to the list that the policy names, when that has a number", () => {
  const text = "jails: { sshd: { list: ssh }, nginx: { list: web } }\nlists: { ssh: { ports: 22 }, web: {} }\n";
  const policy = judged(text, new Map([["ssh", listNo(9)]]));
  assert.deepEqual(
    ["sshd", "nginx", "other", "constructor"].map((jail) => listOfJail(jail, policy)),
    [9, LIST_FLEET, LIST_FLEET, LIST_FLEET],
  );
});

test("a list's ports become its reach, and a group names what its agents enforce", () => {
  const file = readPolicy(
    'lists: { ssh: { ports: "2222,22" }, all: {}, dns: { ports: 53, protocol: udp } }\ngroups: { edge: { lists: [ssh] } }\n',
    "policy.yaml",
  );
  const port = (number: number) => ({ first: number, last: number });
  assert.deepEqual(listsOfPolicy(file), [
    { name: "ssh", reach: { kind: "ports", protocol: "tcp", ranges: [port(22), port(2222)] } },
    { name: "all", reach: { kind: "all-traffic" } },
    { name: "dns", reach: { kind: "ports", protocol: "udp", ranges: [port(53)] } },
  ]);
  assert.deepEqual(groupsOfPolicy(file), [{ name: "edge", lists: ["ssh"] }]);
});

function judged(text: string, listNumbers = new Map()) {
  return judgementOf(readPolicy(text, "policy.yaml"), { policyNo: 1, retentionSeconds: 30 * DAY, listNumbers });
}

function mistakes(text: string): string[] {
  try {
    readPolicy(text, "policy.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split("\n");
  }
  return [];
}
