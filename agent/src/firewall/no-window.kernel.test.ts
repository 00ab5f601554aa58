/**
 * A listed source sends a packet every 5 ms while its set is replaced by larger ones, rules are made anew, lists come and
 * go, and the firewall stops and starts: none is delivered (invariant 4). A flush in the place of the swap is noticed.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { silentLog } from "@fleetban/kit/log";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { eventually } from "../../../test/support/fleet/eventually.ts";
import { arrives } from "../../../test/support/fleet/packets.ts";
import { loadNetlink } from "../drivers/netlink.ts";
import { spawn } from "../drivers/spawn.ts";
import { memoryFiles } from "../mirror/files.fixture.ts";
import {
  addresses,
  deltaOnto,
  EXEMPT,
  FEEDS,
  FLEET,
  heldFixture,
  listFixture,
  listing,
} from "../mirror/mirror.fixture.ts";
import { Mirror } from "../mirror/mirror.ts";
import type { Backend, Op, SetName, Verdict } from "./backend.ts";
import { createFirewall } from "./firewall.ts";
import { openIpsetBackend } from "./ipset/ipset-backend.ts";
import type { EntryHook } from "./ipset/rule-text.ts";
import { openPacketStage, type PacketStage, PEER, sh, WITNESS } from "./packet-stage.fixture.ts";

const skip = process.geteuid?.() === 0 ? false : "needs root";
const FEEDS_V4 = "fleetban-feeds-v4";
const EVERY_MS = 5;
const ENOUGH = 40;
const MAIL = listFixture(7, "mail", "deny", {
  reach: { kind: "ports", protocol: "tcp", ranges: [{ first: 25, last: 25 }] },
});
const WAYS = {
  netlink: loadNetlink,
  process: () => Promise.reject(new Error("no netlink in this test")),
};

let stage: PacketStage;
/** What survives an agent: its mirror and its files. */
let mirror: Mirror;
let files: ReturnType<typeof memoryFiles>;
let swaps = 0;

before(async () => {
  if (skip !== false) return;
  stage = await openPacketStage("iptables-nft", EVERY_MS);
  await arrives(stage.receiver, PEER.v4);
  mirror = new Mirror(systemClock);
  files = memoryFiles();
  mirror.setLists([EXEMPT, FLEET, FEEDS]);
  mirror.replace(EXEMPT.list, heldFixture(EXEMPT.list, []));
  mirror.replace(FLEET.list, heldFixture(FLEET.list, []));
  mirror.replace(
    FEEDS.list,
    heldFixture(
      FEEDS.list,
      [PEER.v4, PEER.v6].map((prefix) => listing(prefix, 0, 5)),
    ),
  );
});

after(async () => {
  if (skip !== false) return;
  await (await openBackend({})).uninstall();
  await stage[Symbol.asyncDispose]();
});

for (const [via, load] of Object.entries(WAYS)) {
  test(`${via}: sets grow by swap, and no packet gets in`, { skip }, async () => {
    await using agent = await startAgent({ load });
    assert.equal(agent.firewall.state().via, via);
    assert.deepEqual(await deliveredWhile(() => growing(agent, via === "netlink" ? 3 : 1)), []);
    assert.ok(swaps > 0, `${swaps} swaps`);
  });
}

test("the agent stops and starts, with other hooks and verdicts, and no packet gets in", { skip }, async () => {
  {
    await using _before = await startAgent({});
  }
  const restarts: AgentOptions[] = [
    {},
    { load: WAYS.process },
    { verdict: "reject" },
    { hook: "raw", verdict: "reject" },
    { hook: "raw" },
    { hook: "conntrack", verdict: "reject" },
    {},
  ];
  const delivered = await deliveredWhile(async () => {
    for (const options of restarts) {
      await using _agent = await startAgent(options);
    }
  });
  assert.deepEqual(delivered, []);
});

test("lists come and go, rules are made anew, and no packet gets in", { skip }, async () => {
  await using agent = await startAgent({});
  const delivered = await deliveredWhile(async () => {
    for (const lists of [
      [EXEMPT, FLEET, FEEDS, MAIL],
      [EXEMPT, FLEET, { ...FEEDS, leaseSeconds: 7_200 }, MAIL],
    ]) {
      mirror.setLists(lists);
      if (mirror.get(MAIL.list)?.held === undefined) mirror.replace(MAIL.list, heldFixture(MAIL.list, []));
      await agent.firewall.onLists();
      await eventually("a rule for mail", () => sh("iptables-nft -t mangle -S").includes("fleetban-mail-v4"));
    }
    const removed = mirror.removeList(MAIL.list);
    assert.ok(removed !== undefined);
    await agent.firewall.onRemoved(removed, true);
    await eventually("no rule for mail", () => !sh("iptables-nft -t mangle -S").includes("fleetban-mail-v4"));
  });
  assert.deepEqual(delivered, []);
});

test("were a set flushed and filled anew in the place of a swap, packets would get in, and this test would see them", {
  skip,
}, async () => {
  await using agent = await startAgent({ wrap: flushingInPlaceOfSwaps });
  const delivered = await deliveredWhile(() => growing(agent, 1));
  assert.ok(delivered.length > 0);
});

interface AgentOptions {
  readonly load?: typeof loadNetlink;
  readonly hook?: EntryHook;
  readonly verdict?: Verdict;
  readonly wrap?: (backend: Backend) => Backend;
}

type Agent = Awaited<ReturnType<typeof startAgent>>;

async function openBackend({ load = loadNetlink, hook = "conntrack" }: AgentOptions): Promise<Backend> {
  const backend = await openIpsetBackend({ loadNetlink: load, spawn, clock: systemClock, log: silentLog, hook });
  const swapSets = async (a: SetName, b: SetName) => {
    swaps += 1;
    await backend.swapSets(a, b);
  };
  return { ...backend, swapSets };
}

/** Enforces; disposing of it leaves everything in the kernel, as an agent that stops does. */
async function startAgent(options: AgentOptions) {
  const { verdict = "drop", wrap = (one) => one } = options;
  const backend = wrap(await openBackend(options));
  const parts = { backend, mirror, clock: systemClock, ledgerClock: systemClock, random: systemRandom, log: silentLog };
  const settings = { capacity: 0, leaseSeconds: 3_600, localSeconds: 3_600, verdict };
  const firewall = createFirewall({ ...parts, files }, settings);
  await firewall.start();
  firewall.setOwn([parsePrefix("45.33.1.1")]);
  const stop = new AbortController();
  const running = firewall.run(stop.signal).catch(() => undefined);
  await eventually("enforced", () => {
    const held = mirror.get(FEEDS.list)?.held;
    const isIn = firewall.applied(FEEDS.list)?.revision === held?.revision;
    return isIn && firewall.state().rules.kind === "present";
  });
  return {
    firewall,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await backend.close();
    },
  };
}

/** So many further listings each time that the set has to be replaced. */
async function growing({ firewall }: Agent, times: number): Promise<void> {
  for (let done = 0; done < times; done += 1) {
    const before = swaps;
    const held = mirror.get(FEEDS.list)!.held!;
    const room = Number(/maxelem (\d+)/.exec(sh(`ipset list -t ${FEEDS_V4}`))?.[1]);
    const more = addresses(room + 500).slice(held.blocklist.size - 2); // beside peer's two
    const delta = await mirror.applyDelta(
      deltaOnto(
        held,
        [],
        more.map((prefix) => listing(prefix, 0, 5)),
      ),
    );
    assert.equal(delta.kind, "applied");
    if (delta.kind === "applied") firewall.onDelta(FEEDS.list, delta.changes, false);
    const isIn = () => firewall.applied(FEEDS.list)?.revision === mirror.get(FEEDS.list)!.held!.revision;
    await eventually("larger sets", () => swaps > before && isIn(), 120_000);
  }
}

/** Whose packets came through, to where, from the moment at which all that was sent before has arrived. */
async function deliveredWhile(act: () => Promise<void>): Promise<readonly string[]> {
  const { receiver, innerReceiver } = stage;
  await stage.settle();
  const counts = () =>
    [
      ["server", receiver, PEER.v4],
      ["server", receiver, PEER.v6],
      ["inner", innerReceiver, PEER.v4],
    ] as const;
  const before = counts().map(([, by, source]) => by.count(source));
  const witness = receiver.watch(WITNESS.v4);
  await act();
  await eventually("the witness was heard for long enough", () => witness.arrived() >= ENOUGH);
  await stage.settle();
  return counts().flatMap(([where, by, source], index) => {
    const delivered = by.count(source) - before[index]!;
    return delivered === 0 ? [] : [`${delivered} of ${source} to ${where}`];
  });
}

/** As a script would do it that knows no swap: the set is emptied, and what it is to hold put back. */
function flushingInPlaceOfSwaps(backend: Backend): Backend {
  async function refilled(name: SetName): Promise<Op[]> {
    const entries = (await Array.fromAsync(backend.readSet(name))).flat();
    const isPeer = ({ prefix }: { prefix: Prefix }) => prefix === PEER.v4;
    const ordered = [...entries.filter((entry) => !isPeer(entry)), ...entries.filter(isPeer)];
    return ordered.map(({ prefix, timeoutSeconds }) => ({ kind: "add", set: FEEDS_V4, prefix, timeoutSeconds }));
  }
  return {
    ...backend,
    async swapSets(a, b) {
      if (a !== FEEDS_V4) return await backend.swapSets(a, b);
      const ops = await refilled(b);
      await backend.swapSets(a, b); // for its size
      sh(`ipset flush ${a}`);
      await arrives(stage.receiver, WITNESS.v4); // as long as the script takes for it
      for (let at = 0; at < ops.length; at += 1_000) await backend.apply(ops.slice(at, at + 1_000));
    },
  };
}
