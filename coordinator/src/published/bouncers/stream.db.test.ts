import assert from "node:assert/strict";
import { Agent } from "node:http";
import { type TestContext, test } from "node:test";
import { ALLOWED, LIST_EXEMPT, LIST_FEEDS, LIST_FLEET, RANK } from "@fleetban/proto/model/listing";
import { until } from "../../../../test/support/until.ts";
import { startPublisher, type TestPublisher } from "../published.fixture.ts";
import type { Decision } from "./decision.ts";

test("a bouncer that starts is told everything, then what has changed, and nothing twice", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await published.put(LIST_FLEET, ["21.0.0.7", "2600:0:0:1::/64"], { seconds: 4 * 3_600 });
  const first = await bouncer.pull("?startup=true");
  assert.deepEqual(
    first.new.map(({ scope, value }) => `${scope} ${value}`),
    ["Ip 21.0.0.7", "Range 2600:0:0:1::/64"],
  );
  assert.deepEqual(first.deleted, []);
  const [decision] = first.new;
  assert.match(decision?.duration ?? "", /^(?:4h0m0s|3h59m\d+s)$/);
  assert.deepEqual([decision?.type, decision?.origin, decision?.scenario], ["ban", "fleetban", "fleetban/fleet"]);
  assert.deepEqual(await bouncer.pull(), { new: [], deleted: [] });
  await published.put(LIST_FLEET, ["21.0.0.9"]);
  await published.remove(LIST_FLEET, "21.0.0.7");
  const changes = await bouncer.pullSome();
  assert.deepEqual([valuesOf(changes.new), valuesOf(changes.deleted)], [["21.0.0.9"], ["21.0.0.7"]]);
  assert.deepEqual(await bouncer.pull(), { new: [], deleted: [] });
});

test("a hole that comes is told as the listing gone and what is left of it new, and the other way round", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await published.put(LIST_FLEET, ["21.0.0.0/30"]);
  await bouncer.pull("?startup=true");
  await published.put(LIST_EXEMPT, ["21.0.0.1"], { rank: ALLOWED });
  const carved = await bouncer.pullSome();
  assert.deepEqual([valuesOf(carved.new), valuesOf(carved.deleted)], [["21.0.0.0", "21.0.0.2/31"], ["21.0.0.0/30"]]);
  await published.remove(LIST_EXEMPT, "21.0.0.1");
  const whole = await bouncer.pullSome();
  assert.deepEqual([valuesOf(whole.new), valuesOf(whole.deleted)], [["21.0.0.0/30"], ["21.0.0.0", "21.0.0.2/31"]]);
});

test("what has ended by itself is told as gone", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await published.put(LIST_FLEET, ["21.0.0.7"], { seconds: 5 });
  assert.deepEqual(valuesOf((await bouncer.pull("?startup=true")).new), ["21.0.0.7"]);
  assert.deepEqual(valuesOf((await bouncer.pullSome()).deleted), ["21.0.0.7"]);
});

test("an answer that may not have arrived is told once more", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await bouncer.pull("?startup=true");
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  assert.deepEqual(valuesOf((await bouncer.pullSome()).new), ["21.0.0.7"]);
  bouncer.breakConnection();
  assert.deepEqual(valuesOf((await bouncer.pull()).new), ["21.0.0.7"]);
  assert.deepEqual(await bouncer.pull(), { new: [], deleted: [] });
});

test("several answers that are lost in a row are told again, what is gone among them", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await published.put(LIST_FLEET, ["21.0.0.7", "21.0.0.8"]);
  await bouncer.pull("?startup=true");
  await bouncer.pull();
  await published.remove(LIST_FLEET, "21.0.0.7");
  for (const lost of [["21.0.0.9"], ["21.0.0.10"], ["21.0.0.11"]]) {
    await published.put(LIST_FLEET, lost);
    await until(`${lost} is told`, async () => {
      bouncer.breakConnection();
      return valuesOf((await bouncer.pull()).new).includes(lost[0] ?? "");
    });
  }
  bouncer.breakConnection();
  const { new: added, deleted } = await bouncer.pull();
  assert.deepEqual([valuesOf(added), valuesOf(deleted)], [["21.0.0.10", "21.0.0.11", "21.0.0.9"], ["21.0.0.7"]]);
  assert.deepEqual(await bouncer.pull(), { new: [], deleted: [] });
});

test("everything is told again when the answer that told it may be lost, unless the bouncer knows that it has it", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  assert.deepEqual(valuesOf((await bouncer.pull()).new), ["21.0.0.7"], "it was told by a process that is gone");
  bouncer.breakConnection();
  assert.deepEqual(valuesOf((await bouncer.pull()).new), ["21.0.0.7"]);
  await bouncer.pull("?startup=true");
  bouncer.breakConnection();
  assert.deepEqual(await bouncer.pull(), { new: [], deleted: [] }, "it no longer says that it is starting");
});

test("a bouncer that uses no connection twice is told each thing four times", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  const pull = async () => {
    bouncer.breakConnection();
    return valuesOf((await bouncer.pull()).new);
  };
  await bouncer.pull("?startup=true");
  await pull();
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  const told: string[][] = [];
  await until("it is told no more", async () => {
    const values = await pull();
    if (values.length > 0) told.push(values);
    return told.length > 0 && values.length === 0;
  });
  assert.deepEqual(
    told,
    Array.from({ length: 4 }, () => ["21.0.0.7"]),
  );
});

test("a coordinator that knows nothing of a bouncer tells it everything, and what is gone since its last pull", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published, await published.token({ maxRank: 2 }));
  await published.put(LIST_FLEET, ["21.0.0.7", "22.0.0.0/30", "23.0.0.0/31", "25.0.0.1", "26.0.0.1"]);
  await published.put(LIST_FEEDS, ["26.0.0.1"], { rank: RANK.feedHigh });
  await published.put(LIST_EXEMPT, ["23.0.0.1"], { rank: ALLOWED });
  assert.deepEqual(valuesOf((await bouncer.pull("?startup=true")).new).length, 5);
  await bouncer.pull(); // that the first answer arrived is known by the next pull
  await until("its pull is written", async () => {
    const [row] = await published.store.sql<{ count: number }[]>`
      select count(*)::int as count from publish_uses where pulled_revision > 0`;
    return row?.count === 1;
  });
  await published.remove(LIST_FLEET, "21.0.0.7", "26.0.0.1");
  await published.put(LIST_EXEMPT, ["22.0.0.2"], { rank: ALLOWED });
  await published.remove(LIST_EXEMPT, "23.0.0.1");
  const other = await startBouncer(t, { ...published, ...(await published.replica()) }, bouncer.token);
  const { new: all, deleted } = await other.pull();
  assert.deepEqual(valuesOf(all), ["22.0.0.0/31", "22.0.0.3", "23.0.0.0/31", "25.0.0.1"]);
  const gone = valuesOf(deleted);
  for (const prefix of ["21.0.0.7", "22.0.0.0/30", "22.0.0.2", "23.0.0.0", "26.0.0.1"])
    assert.ok(gone.includes(prefix), prefix);
  for (const prefix of valuesOf(all)) assert.ok(!gone.includes(prefix), prefix);
});

test("an end that moves on is told as new; as gone, too, to the bouncer that would pass over it", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  const debians = await startBouncer(t, published, await published.token(), "crowdsec-firewall-bouncer/v0.0.25-debian");
  await published.put(LIST_FLEET, ["21.0.0.7"], { seconds: 600 });
  for (const one of [bouncer, debians]) await one.pull("?startup=true");
  await published.put(LIST_FLEET, ["21.0.0.7"], { seconds: 7_200 });
  const { new: added, deleted } = await bouncer.pullSome();
  assert.deepEqual([valuesOf(added), valuesOf(deleted)], [["21.0.0.7"], []]);
  assert.match(added[0]?.duration ?? "", /^(?:2h0m0s|1h59m\d+s)$/);
  const replaced = await debians.pullSome();
  assert.deepEqual([valuesOf(replaced.new), valuesOf(replaced.deleted)], [["21.0.0.7"], ["21.0.0.7"]]);
});

test("what was told for one scenario is told as gone when another has taken its place", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  const query = "scenarios_containing=fleetban/fleet";
  await published.put(LIST_FLEET, ["21.0.0.7"]);
  await published.put(LIST_FEEDS, ["21.0.0.7"], { rank: RANK.feedHigh });
  assert.deepEqual(valuesOf((await bouncer.pull(`?startup=true&${query}`)).new), ["21.0.0.7"]);
  await published.remove(LIST_FLEET, "21.0.0.7");
  const { new: added, deleted } = await bouncer.pullSome(`?${query}`);
  assert.deepEqual([valuesOf(added), valuesOf(deleted)], [[], ["21.0.0.7"]]);
});

test("an open-ended listing is told with an end that an ipset can hold", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await published.put(LIST_FLEET, ["21.0.0.7"], { seconds: 0 });
  assert.equal((await bouncer.pull("?startup=true")).new[0]?.duration, "480h0m0s");
});

test("a token's rank and a query's filters bound what is told", async (t) => {
  const published = await startPublisher(t);
  await published.put(LIST_FLEET, ["21.0.0.7", "22.0.0.0/24"]);
  await published.put(LIST_FEEDS, ["21.0.0.9"], { rank: RANK.feedHigh });
  const ranked = await startBouncer(t, published, await published.token({ maxRank: 2 }));
  assert.deepEqual(valuesOf((await ranked.pull("?startup=true")).new), ["21.0.0.7", "22.0.0.0/24"]);
  // A feed's prefix that the fleet bans, too, is new to it; and gone when only the feed is left.
  await published.put(LIST_FLEET, ["21.0.0.9"]);
  assert.deepEqual(valuesOf((await ranked.pullSome()).new), ["21.0.0.9"]);
  await published.remove(LIST_FLEET, "21.0.0.9");
  const { new: none, deleted } = await ranked.pullSome();
  assert.deepEqual([valuesOf(none), valuesOf(deleted)], [[], ["21.0.0.9"]]);
  const all = await startBouncer(t, published, await published.token());
  const values = async (query: string) => valuesOf((await all.pull(`?startup=true&${query}`)).new);
  assert.deepEqual(await values("scopes=ip"), ["21.0.0.7", "21.0.0.9"]);
  assert.deepEqual(await values("scopes=Range"), ["22.0.0.0/24"]);
  assert.deepEqual(await values("origins=CAPI"), []);
  assert.deepEqual(await values("scenarios_containing=feed"), ["21.0.0.9"]);
  assert.deepEqual(await values("scenarios_not_containing=feed,operator"), ["21.0.0.7", "22.0.0.0/24"]);
});

test("one address is asked for as nginx's bouncer does: what is listed around it, or null", async (t) => {
  const published = await startPublisher(t);
  const bouncer = await startBouncer(t, published);
  await published.put(LIST_FLEET, ["21.0.0.7", "21.0.0.0/24", "2600::/64"]);
  const ask = async (query: string) =>
    JSON.parse((await bouncer.get(`/v1/decisions${query}`)).text) as Decision[] | null;
  const values = async (query: string) => (await ask(query))?.map(({ value }) => value);
  assert.deepEqual(await values("?ip=21.0.0.7"), ["21.0.0.0/24", "21.0.0.7"]);
  assert.deepEqual(await values("?ip=21.0.0.8"), ["21.0.0.0/24"]);
  assert.deepEqual(await values("?ip=2600::9"), ["2600::/64"]);
  assert.equal(await ask("?ip=22.0.0.8"), null);
  assert.deepEqual(await values("?range=21.0.0.0/25"), ["21.0.0.0/24"]);
  assert.deepEqual(await values("?range=21.0.0.0/8&contains=false"), ["21.0.0.0/24", "21.0.0.7"]);
  assert.deepEqual(await values("?scope=ip&value=21.0.0.7"), ["21.0.0.7"]);
  assert.equal(await ask("?ip=21.0.0.7&type=captcha"), null);
  assert.deepEqual((await values(""))?.length, 3);
  assert.equal((await bouncer.get("/v1/decisions?ip=me")).status, 400);
  assert.equal((await bouncer.get(`/v1/decisions?scopes=${"x,".repeat(40)}`)).status, 400);
});

test("a bouncer without a good key is forbidden, as CrowdSec's local API says it; HEAD says whether it is good", async (t) => {
  const published = await startPublisher(t);
  const key = await published.token();
  const forbidden = await published.get("/v1/decisions/stream", { headers: { "x-api-key": "wrong" } });
  assert.deepEqual([forbidden.status, forbidden.text], [403, '{"message":"access forbidden"}']);
  const head = await published.get("/v1/decisions/stream", { headers: { "x-api-key": key }, method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  const usage = await published.get("/v1/usage-metrics", { headers: { "x-api-key": key }, method: "POST" });
  assert.equal(usage.status, 201);
});

interface Pulled {
  readonly new: readonly Decision[];
  readonly deleted: readonly Decision[];
}

/** With a connection that stays, as Go's client has. */
async function startBouncer(t: TestContext, published: TestPublisher, key?: string, program = "test") {
  const token = key ?? (await published.token());
  let agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const get = (path: string) => published.get(path, { headers: { "x-api-key": token, "user-agent": program }, agent });
  const pull = async (query = ""): Promise<Pulled> =>
    JSON.parse((await get(`/v1/decisions/stream${query}`)).text) as Pulled;
  return {
    token,
    get,
    pull,
    /** Polls until there is something. */
    async pullSome(query = ""): Promise<Pulled> {
      let pulled: Pulled = { new: [], deleted: [] };
      await until("something is told", async () => {
        pulled = await pull(query);
        return pulled.new.length + pulled.deleted.length > 0;
      });
      return pulled;
    },
    breakConnection() {
      agent.destroy();
      agent = new Agent({ keepAlive: true, maxSockets: 1 });
    },
  };
}

function valuesOf(decisions: readonly Decision[]): string[] {
  return decisions.map(({ value }) => value).sort();
}
