import assert from "node:assert/strict";
import { test } from "node:test";
import { ALLOWED, LIST_EXEMPT, LIST_FEEDS, LIST_FLEET, RANK, rank } from "@fleetban/proto/model/listing";
import { until } from "../../../test/support/until.ts";
import { type Put, startPublisher } from "./published.fixture.ts";

test("a list is the merged, carved and aggregated listings of the token's lists, as text", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  await published.put(LIST_FLEET, ["20.0.0.0/30", "21.0.0.7", "2600:0:0:1::/64"]);
  await published.put(LIST_FEEDS, ["21.0.0.6", "21.0.0.7"], { rank: RANK.feedHigh });
  await published.put(LIST_EXEMPT, ["20.0.0.2"], { rank: ALLOWED });
  const { status, headers, text } = await published.get("/v1/lists/all.txt", { token });
  assert.equal(text, "20.0.0.0/31\n20.0.0.3\n21.0.0.6/31\n2600:0:0:1::/64\n");
  assert.deepEqual([status, headers["content-type"]], [200, "text/plain; charset=utf-8"]);
  const body = async (path: string) => (await published.get(path, { token })).text;
  assert.equal(await body("/v1/lists/all.cidr?family=4"), "20.0.0.0/31\n20.0.0.3/32\n21.0.0.6/31\n");
  assert.equal(await body("/v1/lists/fleet.txt?family=6"), "2600:0:0:1::/64\n");
  assert.equal(await body("/v1/lists/feeds+fleet.txt?family=4&max_rank=2"), "20.0.0.0/31\n20.0.0.3\n21.0.0.7\n");
  assert.equal(await body("/v1/lists/all.txt?family=4&aggregate=no"), "20.0.0.0/31\n20.0.0.3\n21.0.0.6\n21.0.0.7\n");
});

test("an unban is out of the next fetch, and a ban in it", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  const body = async () => (await published.get("/v1/lists/all.txt", { token })).text;
  assert.equal(await body(), "21.0.0.7\n");
  await published.put(LIST_EXEMPT, ["21.0.0.0/24"], { rank: ALLOWED });
  await untilIs(body, "");
  await published.remove(LIST_EXEMPT, "21.0.0.0/24");
  await published.put(LIST_FLEET, ["21.0.0.9"]);
  await untilIs(body, "21.0.0.7\n21.0.0.9\n");
});

test("what is not changed is not sent again, packed or not", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  const path = "/v1/lists/all.txt";
  const plain = await published.get(path, { token });
  const packed = await published.get(path, { token, headers: { "accept-encoding": "br, gzip;q=0.5" } });
  assert.equal(packed.text, plain.text);
  assert.equal(packed.headers["content-encoding"], "gzip");
  assert.notEqual(packed.headers.etag, plain.headers.etag);
  for (const { headers } of [plain, packed]) {
    const again = await published.get(path, { token, headers: { "if-none-match": `"x", W/${headers.etag}` } });
    assert.deepEqual([again.status, again.text], [304, ""]);
  }
  const refused = await published.get(path, { token, headers: { "accept-encoding": "gzip;q=0" } });
  assert.equal(refused.headers["content-encoding"], undefined);
  const head = await published.get(path, { token, method: "HEAD" });
  assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", `${plain.text.length}`]);
  await published.put(LIST_FLEET, ["21.0.0.8"]);
  const stale = { "if-none-match": String(plain.headers.etag) };
  await untilIs(async () => `${(await published.get(path, { token, headers: stale })).status}`, "200");
});

test("another replica gives an unchanged list the same tag", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  const [one, other] = [published, await published.replica()];
  const tags = [await one.get("/v1/lists/all.json", { token }), await other.get("/v1/lists/all.json", { token })];
  assert.equal(tags[0]?.headers.etag, tags[1]?.headers.etag);
});

test("what rests only on a feed whose terms forbid it is left out, unless it is for machines of one's own", async (t) => {
  const published = await startPublisher(t);
  await published.store.sql`
    insert into feeds (name, kind, stale_after_seconds, licence) values ('own', 'list', 60, 2), ('free', 'list', 60, 0), ('named', 'list', 60, 3)`;
  const feed = (...numbers: readonly number[]): Put => ({
    rank: rank(4),
    reasons: numbers.map((number) => ({ kind: "feed", key: `${number}` })),
  });
  await published.put(LIST_FEEDS, ["30.0.0.1"], feed(1));
  await published.put(LIST_FEEDS, ["30.0.0.2"], feed(2));
  await published.put(LIST_FEEDS, ["30.0.0.3", "2600::/64"], feed(1, 2));
  await published.put(LIST_FEEDS, ["30.0.0.4"], feed(1));
  await published.put(LIST_FLEET, ["30.0.0.4"]);
  const text = async (token: string) => (await published.get("/v1/lists/all.txt?aggregate=no", { token })).text;
  assert.equal(await text(await published.token()), "30.0.0.2\n30.0.0.3\n30.0.0.4\n2600::/64\n");
  const { headers } = await published.get("/v1/lists/all.txt", { token: await published.token() });
  assert.equal(headers["x-fleetban-credits"], "named");
  const own = await published.token({ isForOwnUse: true });
  assert.equal(await text(own), "30.0.0.1\n30.0.0.2\n30.0.0.3\n30.0.0.4\n2600::/64\n");
});

test("a token opens its lists, up to its rank, from where it may, until it is revoked", async (t) => {
  const published = await startPublisher(t);
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  await published.put(LIST_FEEDS, ["21.0.0.9"], { rank: RANK.feedHigh });
  const path = "/v1/lists/all.txt";
  const fleet = await published.token({ lists: ["fleet"], name: "one" });
  assert.equal((await published.get(path, { token: fleet })).text, "21.0.0.7\n");
  const closed = await published.get("/v1/lists/feeds.txt", { token: fleet });
  assert.deepEqual([closed.status, closed.text.split("\n")[1]], [403, "hint: it opens: fleet"]);
  const ranked = await published.token({ maxRank: 2 });
  assert.equal((await published.get(`${path}?max_rank=200`, { token: ranked })).text, "21.0.0.7\n");
  const elsewhere = await published.token({ ranges: ["10.0.0.0/8"] as never });
  assert.equal((await published.get(path, { token: elsewhere })).status, 401);
  const ended = await published.token({ validSeconds: -60 });
  assert.equal((await published.get(path, { token: ended })).status, 401);
  await published.store.sql`update publish_tokens set revoked_at = clock_timestamp() where name = 'one'`;
  await untilIs(async () => `${(await published.get(path, { token: fleet })).status}`, "401");
});

test("a token comes as a header, as a password, as a key or in the address", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  const basic = `Basic ${Buffer.from(`opnsense:${token}`).toString("base64")}`;
  const path = "/v1/lists/all.txt";
  for (const headers of [{ authorization: `bearer ${token}` }, { authorization: basic }, { "x-api-key": token }]) {
    assert.equal((await published.get(path, { headers })).status, 200);
  }
  assert.equal((await published.get(`${path}?token=${token}`)).status, 200);
  const without = await published.get(path);
  assert.deepEqual([without.status, without.headers["www-authenticate"]?.split(" ")[0]], [401, "Basic"]);
  assert.equal((await published.get(`${path}?token=fbp1.${"A".repeat(32)}`)).status, 401);
});

test("a wish that is not understood is refused with its remedy, never passed over", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  const answers = [
    ["/v1/lists/all.txt?max-rank=2", 400, "hint: did you mean max_rank?"],
    ["/v1/lists/all.txt?max_rank=two", 400, "hint: write it in digits"],
    ["/v1/lists/all.txt?family=5", 400, "hint: leave it away for both"],
    ["/v1/lists/all.nft?aggregate=no", 400, "hint: leave it away"],
    ["/v1/lists/all.txt?timeouts=yes", 400, "hint: only .ipset has them"],
    ["/v1/lists/all.ipset?name=fleetban-x", 400, "hint: leave it away for published"],
    ["/v1/lists/all.exe", 404, "hint: ask for /v1/lists/all with one of .txt .cidr .json .csv .xml .ipset .nft .rsc"],
    ["/v1/lists/nobody.txt", 403, "hint: it opens: fleet, feeds"],
    ["/", 404, "hint: lists are at /v1/lists/all.txt"],
  ] as const;
  for (const [path, status, hint] of answers) {
    const got = await published.get(path, { token });
    assert.deepEqual([path, got.status, got.text.split("\n")[1]], [path, status, hint]);
  }
  assert.equal((await published.get("/v1/lists/all.txt", { token, method: "DELETE" })).status, 405);
});

test("what has ended is gone from the next fetch, though the ledger has it still", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  await published.put(LIST_FLEET, ["21.0.0.7"], { seconds: 1 });
  await published.put(LIST_FLEET, ["21.0.0.9"]);
  await untilIs(async () => (await published.get("/v1/lists/all.txt", { token })).text, "21.0.0.9\n");
});

test("while the database is away lists go on being given, and what ends goes from them", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  await published.store.sql`insert into feeds (name, kind, stale_after_seconds, licence) values ('own', 'list', 60, 2)`;
  await published.put(LIST_FEEDS, ["30.0.0.1"], { rank: rank(4), reasons: [{ kind: "feed", key: "1" }] });
  await published.put(LIST_FLEET, ["21.0.0.7"], { seconds: 6 });
  await published.put(LIST_FLEET, ["21.0.0.9"]);
  const body = async () => (await published.get("/v1/lists/all.txt", { token })).text;
  await untilIs(body, "21.0.0.7\n21.0.0.9\n");
  published.loseDatabase();
  await untilIs(body, "21.0.0.9\n");
});

test("what is fetched is counted, and by whom is kept", async (t) => {
  const published = await startPublisher(t);
  const token = await published.token();
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  await published.get("/v1/lists/all.txt", { token, headers: { "user-agent": "pfSense/2.7" } });
  await published.get("/v1/lists/all.txt");
  for (const line of [
    'publish_requests_total{format="txt",outcome="sent"} 1',
    'publish_requests_total{format="refused",outcome="refused"} 1',
    'published_listings{lists="fleet+feeds",terms="public"} 1',
  ]) {
    // Counted once it is sent; who asked may have it before.
    await until(line, async () => (await published.registry.metrics()).includes(`_${line}\n`));
  }
});

async function untilIs(read: () => Promise<string>, wanted: string): Promise<void> {
  await until(`it is ${JSON.stringify(wanted)}`, async () => (await read()) === wanted);
}
