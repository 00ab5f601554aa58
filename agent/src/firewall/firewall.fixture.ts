/** A whole firewall over a kernel in memory, under a virtual clock: the kernel takes time, refuses and loses as told. */
import { silentLog } from "@fleetban/kit/log";
import { seededRandom } from "@fleetban/kit/random";
import { createVirtualClock } from "@fleetban/kit/virtual-clock";
import type { List, Listing, ListNo } from "@fleetban/proto/model/listing";
import { type Prefix, parsePrefix } from "@fleetban/proto/model/prefix";
import { memoryFiles } from "../mirror/files.fixture.ts";
import type { Held } from "../mirror/held.ts";
import { deltaOnto, EXEMPT, FEEDS, FLEET, heldFixture } from "../mirror/mirror.fixture.ts";
import { Mirror } from "../mirror/mirror.ts";
import { addsIn } from "./add-run.ts";
import type { Backend, Op, Refusal, SetName } from "./backend.ts";
import { createDryRunBackend } from "./dry-run/dry-run-backend.ts";
import { createFirewall, type FirewallSettings } from "./firewall.ts";

export const START_MS = 1_800_000_000_000;
export const START_SECONDS = START_MS / 1_000;

export interface FixtureKernel extends Backend {
  /** In the order in which they were applied, with their moments. */
  readonly batches: { readonly atMs: number; readonly ops: readonly Op[] }[];
  msPerEntry: number;
  /** The next applies fail as a whole. */
  failures: number;
  refuse: (op: Op) => Refusal["code"] | undefined;
  /** Behind the agent's back. */
  sneak(ops: readonly Op[]): Promise<void>;
  flush(set: SetName): Promise<void>;
  destroy(set: SetName): Promise<void>;
  dropRules(): Promise<void>;
  entries(set: SetName): Promise<Prefix[]>;
  timeouts(set: SetName): Promise<Map<Prefix, number>>;
}

export function kernelFixture(clock: ReturnType<typeof createVirtualClock>): FixtureKernel {
  const inner = createDryRunBackend(clock);
  const kernel: FixtureKernel = {
    ...inner,
    name: "ipset", // as far as the firewall can tell
    batches: [],
    msPerEntry: 0,
    failures: 0,
    refuse: () => undefined,
    async apply(ops) {
      if (kernel.msPerEntry > 0) await clock.sleep(ops.length * kernel.msPerEntry);
      if (kernel.failures > 0) {
        kernel.failures -= 1;
        throw new Error("the kernel is away");
      }
      kernel.batches.push({ atMs: clock.monotonicMs(), ops });
      const refused = ops.flatMap((op) => {
        const code = kernel.refuse(op);
        return code === undefined ? [] : [{ op, code, detail: "refused by the test" }];
      });
      const names = new Set(refused.map(({ op }) => op));
      return [...refused, ...(await inner.apply(ops.filter((op) => !names.has(op))))];
    },
    async addRun(run) {
      const ops = [...addsIn(run)];
      const refusals = await kernel.apply(ops);
      return refusals.map(({ op, code, detail }) => ({ row: ops.indexOf(op), code, detail }));
    },
    async sneak(ops) {
      await inner.apply(ops);
    },
    async flush(set) {
      if (!(await inner.headers()).some(({ name }) => name === set)) return; // destroyed
      for (const prefix of await kernel.entries(set)) await inner.apply([{ kind: "remove", set, prefix }]);
    },
    async destroy(set) {
      await kernel.dropRules();
      await inner.destroySet(set);
    },
    dropRules: () => inner.ensureRules([]),
    entries: async (set) => [...(await kernel.timeouts(set)).keys()].sort(),
    async timeouts(set) {
      const found = new Map<Prefix, number>();
      for await (const piece of inner.readSet(set)) for (const one of piece) found.set(one.prefix, one.timeoutSeconds);
      return found;
    },
  };
  return kernel;
}

const SETTINGS: FirewallSettings = { capacity: 0, leaseSeconds: 3_600, localSeconds: 86_400 };

/** What outlives a restart of the agent: the kernel, its files, the mirror as loaded from them, the time. */
export function machineFixture() {
  const clock = createVirtualClock(START_MS);
  const ledger = { aheadMs: 0, nowMs: () => clock.nowMs() + ledger.aheadMs };
  return { clock, ledger, kernel: kernelFixture(clock), files: memoryFiles(), log: silentLog };
}

export type Machine = ReturnType<typeof machineFixture>;

/** An agent's firewall on that machine, started and running. */
export async function agentFixture(
  machine: Machine,
  settings: Partial<FirewallSettings> = {},
  mirror = new Mirror(machine.clock),
) {
  const { clock, ledger, kernel, files } = machine;
  const parts = {
    backend: kernel,
    mirror,
    clock,
    ledgerClock: ledger,
    random: seededRandom(7),
    log: machine.log,
    files,
  };
  const firewall = createFirewall(parts, { ...SETTINGS, ...settings });
  const stopping = new AbortController();
  const run = async () => {
    await firewall.start();
    await firewall.run(stopping.signal);
  };
  const ended = run().catch((error: unknown) => {
    if (error !== stopping.signal.reason) throw error;
  });
  const agent = {
    ...machine,
    mirror,
    firewall,
    async pass(durationMs: number) {
      await clock.run(clock.monotonicMs() + durationMs);
    },
    /** Until all urgent wishes are in the kernel. */
    settle: () => done(clock, firewall.settled()),
    async stop() {
      stopping.abort(new Error("the test stops the agent"));
      await agent.pass(1);
      await ended;
    },
    held: (list: ListNo): Held => mirror.get(list)!.held!,
    async snapshot(list: List, listings: Iterable<Listing>, changes: Partial<Held> = {}, approved = false) {
      mirror.setLists([list]);
      const revision = ((mirror.get(list.list)?.held?.revision ?? 0) + 1) as Held["revision"];
      const replaced = mirror.replace(list.list, heldFixture(list.list, listings, { revision, ...changes }));
      firewall.onSnapshot(list.list, replaced, approved);
      await agent.pass(0);
    },
    async delta(list: List, remove: readonly Prefix[], put: readonly Listing[], approved = false) {
      const outcome = await mirror.applyDelta(deltaOnto(agent.held(list.list), remove, put));
      if (outcome.kind !== "applied") throw new Error(outcome.reason);
      firewall.onDelta(list.list, outcome.changes, approved);
    },
  };
  return agent;
}

/** With the three lists mirrored and rules in force. */
export async function enforcingFixture(
  lists: { exempt?: Iterable<Listing>; fleet?: Iterable<Listing>; feeds?: Iterable<Listing> } = {},
  settings: Partial<FirewallSettings> = {},
  machine = machineFixture(),
) {
  const agent = await agentFixture(machine, settings);
  await agent.pass(0);
  agent.firewall.setOwn([parsePrefix("93.184.216.1")]);
  await agent.snapshot(EXEMPT, lists.exempt ?? []);
  await agent.snapshot(FLEET, lists.fleet ?? []);
  await agent.snapshot(FEEDS, lists.feeds ?? []);
  await agent.pass(60_000);
  return agent;
}

/** Lets time pass until the promise is settled. */
async function done(clock: ReturnType<typeof createVirtualClock>, promise: Promise<void>): Promise<void> {
  let isOver = false;
  const over = promise.finally(() => {
    isOver = true;
  });
  while (!isOver) await clock.run(clock.monotonicMs() + 1);
  await over;
}
