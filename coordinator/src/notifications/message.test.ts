import assert from "node:assert/strict";
import { test } from "node:test";
import type { WebhookChannel, WebhookFormat } from "./channel.ts";
import { messageOf } from "./message.ts";
import type { News } from "./news.ts";
import { readWebhookAnswer, webhookRequest } from "./webhook.ts";

const NEWS: readonly News[] = [
  { topic: "agents", agent: "web1", state: "gone", seenMs: Date.UTC(2026, 10, 21) },
  ...Array.from({ length: 25 }, (_, at): News => listing(`5.6.7.${at}`, at)),
  { topic: "holds", holdNo: 3, subject: "feed abuseipdb", reason: "<!channel> grows\nby @everyone" },
];

test("a message says first what waits for somebody, and the rest by how many servers saw it", () => {
  const { subject, text, counts, news } = messageOf(NEWS);
  assert.equal(
    subject,
    "fleetban: 1 hold waits for an operator, 1 agent has gone or come back, 25 addresses listed for the first time",
  );
  assert.deepEqual(counts, { holds: 1, agents: 1, first_listings: 25 });
  const lines = text.split("\n");
  assert.equal(lines[1], "  hold 3, feed abuseipdb: <!channel> grows by @everyone");
  assert.equal(lines[5], "  web1 is gone, last seen 2026-11-21 00:00:00 UTC; its kernel keeps what it had");
  assert.match(lines[9]!, /^ {2}5\.6\.7\.24 on fleet until an operator ends it: sshd, 5 failures on 24 servers$/);
  assert.ok(lines.includes("  … and 5 more"));
  assert.equal(news.filter(({ topic }) => topic === "first_listings").length, 20);
});

test("each format is what its receiver takes, and nobody is called by a name from far away", () => {
  const body = (format: WebhookFormat) => String(request(format).body);
  const { text } = messageOf(NEWS);
  assert.deepEqual(Object.keys(JSON.parse(body("json")) as object), ["id", "at", "subject", "text", "counts", "news"]);
  assert.match((JSON.parse(body("slack")) as { text: string }).text, /&lt;!channel&gt; grows/);
  const discord = JSON.parse(body("discord")) as { content: string; allowed_mentions: unknown };
  assert.ok(discord.content.length <= 2_000);
  assert.deepEqual(discord.allowed_mentions, { parse: [] });
  assert.ok(body("text").endsWith(text));
  assert.match(request("text").headers["content-type"]!, /^text\/plain/);
});

test("a name from far away is neither a link nor markup where messages are rendered", () => {
  const jail = "[free](http://evil.example/) <http://evil.example|x> *bold* ``` after";
  const news = [{ ...listing("5.6.7.8", 1), jails: [jail] } as News];
  const field = { slack: "text", discord: "content" } as const;
  for (const format of ["slack", "discord"] as const) {
    const body = JSON.parse(String(request(format, news).body)) as Record<string, string>;
    const [title = "", code = "", rest] = body[field[format]]!.split("```");
    assert.match(title, /^\*+fleetban: .*\*+\n$/);
    assert.match(code, /evil\.example/);
    assert.equal(rest, "", "nothing stands outside of the code");
  }
});

test("what a receiver can mend by itself is tried again, what it refuses is not", () => {
  for (const [status, kind] of [
    [200, "sent"],
    [204, "sent"],
    [301, "refused"],
    [404, "refused"],
    [408, "again"],
    [429, "again"],
    [500, "again"],
  ] as const) {
    assert.equal(readWebhookAnswer({ status, headers: {}, body: "" }).kind, kind, String(status));
  }
});

function request(format: WebhookFormat, news = NEWS) {
  const channel: WebhookChannel = { kind: "webhook", name: "hook", url: "http://h/", format, secret: undefined };
  return webhookRequest(channel, { message: messageOf(news), messageId: "m", plannedAtMs: 0, programVersion: "1" });
}

function listing(prefix: string, agents: number): News {
  return {
    topic: "first_listings",
    prefix,
    list: "fleet",
    untilMs: 0,
    jails: ["sshd"],
    agents,
    failures: 5,
    strikes: 1,
  };
}
