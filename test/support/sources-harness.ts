/** The agent's sources and spool as the agent joins them, without coordinator and kernel: what was told is collected. */
import { join } from "node:path";
import { createAskFail2ban } from "@fleetban/agent/drivers/fail2ban-socket";
import { sourceFiles } from "@fleetban/agent/drivers/source-files";
import { createSpoolFiles } from "@fleetban/agent/drivers/spool-files";
import { KnownBans, type LocalAct } from "@fleetban/agent/sources/dedupe";
import { createAskedUnbans } from "@fleetban/agent/sources/fail2ban/asked-unbans";
import { followHandoff } from "@fleetban/agent/sources/fail2ban/handoff";
import type { Fail2banFacts } from "@fleetban/agent/sources/fail2ban/jail-facts";
import { reconcileFail2ban } from "@fleetban/agent/sources/fail2ban/reconcile";
import { createFail2banServer, type Fail2banServer } from "@fleetban/agent/sources/fail2ban/server";
import { createIntake, type Intake } from "@fleetban/agent/sources/intake";
import { followLog } from "@fleetban/agent/sources/log/follow-log";
import { openSpool, type Spool } from "@fleetban/agent/spool/spool";
import { systemClock } from "@fleetban/kit/drivers/system-clock";
import { systemRandom } from "@fleetban/kit/drivers/system-random";
import { createLog } from "@fleetban/kit/log";
import type { Sighting } from "@fleetban/proto/model/sighting";

export interface HarnessSettings {
  readonly folder: string;
  readonly handoffPath?: string;
  readonly logPath?: string;
  /** fail2ban's socket. */
  readonly socketPath: string;
  /** Whether fail2ban is asked for what was missed. */
  readonly isReconciled: boolean;
}

export interface SourcesHarness {
  readonly spool: Spool;
  readonly intake: Intake;
  readonly server: Fail2banServer;
  readonly local: readonly LocalAct[];
  readonly facts: readonly (Fail2banFacts | undefined)[];
  readonly logLines: readonly string[];
  /** Everything in the spool, oldest first. */
  told(): Promise<readonly Sighting[]>;
  /** As `kind jail address` lines. */
  toldTexts(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export async function startSources(settings: HarnessSettings): Promise<SourcesHarness> {
  const logLines: string[] = [];
  const log = createLog((line) => logLines.push(line), systemClock, "debug");
  const stopper = new AbortController();
  const base = { clock: systemClock, random: systemRandom, log };
  const spool = await openSpool(
    { ...base, files: createSpoolFiles(join(settings.folder, "spool")) },
    { maxBytes: 8 << 20 },
  );
  const known = new KnownBans(spool.takeRecent(), spool.forgottenBeforeMs);
  const local: LocalAct[] = [];
  const facts: (Fail2banFacts | undefined)[] = [];
  const sink = createIntake({ ...base, spool, known, local: (act) => void local.push(act) });
  const asked = createAskedUnbans(systemClock);
  const server = createFail2banServer(createAskFail2ban(settings.socketPath), asked);
  const parts = { ...base, files: sourceFiles, sink, isAsked: asked.has };
  const positions = spool.positions();
  const { handoffPath, logPath } = settings;
  const tasks: Promise<unknown>[] = [];
  const caughtUp = Promise.withResolvers<void>();
  if (handoffPath === undefined) caughtUp.resolve();
  else tasks.push(followHandoff(parts, { path: handoffPath, positions, onCaughtUp: caughtUp.resolve }, stopper.signal));
  await caughtUp.promise;
  if (logPath !== undefined) {
    const banSecondsOf = (jail: string) => facts.at(-1)?.banSeconds.get(jail) ?? 0;
    const isHandedOver = () => handoffPath !== undefined;
    tasks.push(
      followLog({ ...parts, banSecondsOf, isHandedOver }, { path: logPath, begin: "end", positions }, stopper.signal),
    );
  }
  if (settings.isReconciled) {
    const onFacts = (fact: Fail2banFacts | undefined) => void facts.push(fact);
    tasks.push(
      reconcileFail2ban({ ...base, server, sink, known, onFacts }, { positions, everyMs: 180_000 }, stopper.signal),
    );
  }
  const settled = Promise.allSettled(tasks);

  async function told(): Promise<readonly Sighting[]> {
    const all: Sighting[] = [];
    let point: { incarnation: Uint8Array; seq: number } | undefined;
    for (;;) {
      const batch = await spool.after(point, 1_000);
      if (batch === undefined) return all;
      all.push(...batch.sightings);
      point = { incarnation: batch.incarnation, seq: batch.firstSeq + batch.sightings.length - 1 };
    }
  }

  return {
    ...{ spool, intake: sink, server, local, facts, logLines, told },
    toldTexts: async () => (await told()).map(({ kind, jail, address }) => `${kind} ${jail} ${address}`),
    async stop() {
      stopper.abort(new Error("the test is over"));
      await settled;
      await spool.close();
    },
  };
}
