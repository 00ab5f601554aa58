/**
 * The agent: joins its rooms, given the outside as parts. Sources → spool → link → mirror → firewall.
 *
 * Nothing here decides anything. Stopping ends the loops and leaves the kernel as it is (invariant 4).
 */
import { type Clock, ms } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import type { Random } from "@fleetban/kit/random";
import { runTasks, type Task } from "@fleetban/kit/task-group";
import type { ListNo } from "@fleetban/proto/model/listing";
import { secondsFromMs } from "@fleetban/proto/model/time";
import type { Settings } from "@fleetban/proto/wire/fleet";
import { createAppliedReport } from "./applied.ts";
import type { AgentConfig } from "./config.ts";
import { describeAgent } from "./describe-agent.ts";
import type { Identity } from "./drivers/identity-files.ts";
import { createEnforcement } from "./enforcement.ts";
import type { Backend } from "./firewall/backend.ts";
import type { Candidate } from "./firewall/choose-backend.ts";
import { createFirewall } from "./firewall/firewall.ts";
import { replaceFormerBackends } from "./firewall/former-backend.ts";
import { DEFAULT_PACE } from "./firewall/pacing.ts";
import { healthMessage } from "./health/health-message.ts";
import type { AgentStatus, EnforcingStatus } from "./health/status.ts";
import { createWarnables } from "./health/warnables.ts";
import { watchStates } from "./health/watch-states.ts";
import { makeHello } from "./hello.ts";
import { createHitCounting } from "./hits/hits.ts";
import type { Dial } from "./link/connection.ts";
import { createLedgerClock } from "./link/ledger-clock.ts";
import { runLink } from "./link/link.ts";
import { createReports } from "./link/reports.ts";
import { runSession } from "./link/session.ts";
import type { LinkState } from "./link/state.ts";
import type { Files } from "./mirror/files.ts";
import { isCutOff, listedOn } from "./mirror/listed-on.ts";
import { Mirror } from "./mirror/mirror.ts";
import { createMirrorFile } from "./mirror/mirror-file.ts";
import { createOwnAddresses } from "./own-addresses/own-addresses.ts";
import { CLAIMS_MAX, claimedAddresses, type MachineFacts } from "./own-addresses/own-prefixes.ts";
import type { ProtectedSessions } from "./own-addresses/protected-sessions.ts";
import { fail2banBans } from "./pardons/fail2ban-bans.ts";
import { createPardonLifter } from "./pardons/lift-pardoned.ts";
import { answerProbe } from "./probe.ts";
import { type CertificateLife, renewWhenDue } from "./renewal.ts";
import { KnownBans, type LocalAct } from "./sources/dedupe.ts";
import { createAskedUnbans } from "./sources/fail2ban/asked-unbans.ts";
import { HEARING_FAULTS } from "./sources/fail2ban/hearing.ts";
import { type AskFail2ban, createFail2banServer } from "./sources/fail2ban/server.ts";
import type { SourceFiles } from "./sources/follow/files.ts";
import type { LocalResult } from "./sources/seen.ts";
import type { ListenUnix } from "./sources/socket/connection.ts";
import { createSources } from "./sources/sources.ts";
import type { SpoolFiles } from "./spool/files.ts";
import { openSpool } from "./spool/spool.ts";
import type { EnforceMode } from "./trial/trial-state.ts";

export interface AgentParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly backend: Backend;
  /** What a former run may have enforced with; it goes when this run enforces. */
  readonly otherBackends: readonly Candidate[];
  readonly enforcing: Enforcing;
  readonly dataFiles: Files;
  readonly spoolFiles: SpoolFiles;
  readonly sourceFiles: SourceFiles;
  readonly listen: ListenUnix;
  /** Absent = this machine's fail2ban is not asked. */
  readonly askFail2ban: AskFail2ban | undefined;
  readonly dial: Dial;
  /** Undefined = not enrolled (yet). */
  readonly identity: () => Identity | undefined;
  readonly certificateLife: () => CertificateLife | undefined;
  readonly renewCertificate: (address: string) => Promise<void>;
  readonly readMachine: (coordinators: readonly string[]) => Promise<MachineFacts>;
  readonly sessions: ProtectedSessions;
  /** Calls back when somebody logs in, or the resolvers change. */
  readonly watchMachine: (onChange: () => void) => { close(): void };
  readonly bootId: Uint8Array;
  readonly version: string;
  readonly name: string;
}

/** By what this agent enforces, or doesn't: agent.yaml, a trial, its confirmation. */
export interface Enforcing {
  readonly mode: EnforceMode;
  /** Of the machine. */
  readonly uptimeMs: () => number;
}

export interface Agent {
  status(): AgentStatus;
  /** Runs until `signal` aborts, then rejects with its reason; or with what ended one of the loops. */
  run(signal: AbortSignal): Promise<void>;
}

const START_ID_BYTES = 16;
const NOT_ENROLLED_LOOK_MS = 2_000;
/** Until the coordinator says another. */
const LOCAL_SECONDS = 86_400;

export async function openAgent(parts: AgentParts, config: AgentConfig): Promise<Agent> {
  const { clock, random, log, backend } = parts;
  const startedAtMs = clock.nowMs();
  const startId = random.bytes(START_ID_BYTES);
  const ledgerClock = createLedgerClock(clock);
  const skewMs = () => ledgerClock.skewMs() ?? 0;
  const ledgerSeconds = () => secondsFromMs(ledgerClock.nowMs());
  const warnables = createWarnables(clock, () => reports.healthDue());
  let link: LinkState = { kind: "stopped" };

  const mirror = new Mirror(clock);
  const file = createMirrorFile({ files: parts.dataFiles, folder: "mirror", mirror, clock, log });
  await file.load();
  const hits = createHitCounting({ backend, mirror, clock, log }, config["hits.every"]);
  const firewall = createFirewall(
    { backend: hits.backend, mirror, clock, ledgerClock, random, log, files: parts.dataFiles, onEnforced: reportSoon },
    {
      capacity: config.max_entries,
      leaseSeconds: config.lease / 1_000,
      localSeconds: LOCAL_SECONDS,
      verdict: config.verdict,
      hook: config.hook,
      trialSecondsLeft: trialSecondsLeft(parts.enforcing),
      pace: { ...DEFAULT_PACE, targetMs: ms(config["pace.target_ms"]), cpuShare: config["pace.cpu_permille"] / 1_000 },
      reconcile: { checkMs: config["reconcile.check_every"], readBackMs: config["reconcile.read_back_every"] },
    },
  );
  await firewall.start();
  const own = createOwnAddresses({
    ...{ clock, log, coordinators, watch: parts.watchMachine, readMachine: parts.readMachine, setOwn: firewall.setOwn },
    sessions: config.protect_sessions ? parts.sessions : undefined,
  });
  await own.look();

  const spool = await openSpool({ files: parts.spoolFiles, clock, random, log }, { maxBytes: config.spool_max });
  const asked = createAskedUnbans(clock);
  const server = parts.askFail2ban && createFail2banServer(parts.askFail2ban, asked);
  const lift =
    server === undefined
      ? async () => undefined
      : createPardonLifter({
          source: fail2banBans(server, skewMs),
          exempt: () =>
            mirror.lists().flatMap(({ list, held }) => (list.effect === "exempt" && held ? [held.blocklist] : [])),
          now: ledgerSeconds,
          log,
          onAnswer: (failure) => warnables.set("fail2ban-unreachable", failure !== undefined),
        });
  const sources = createSources(
    {
      ...{ files: parts.sourceFiles, listen: parts.listen, server, asked, spool, clock, random, log },
      known: new KnownBans(spool.takeRecent(), spool.forgottenBeforeMs),
      local: actLocally,
      desk: { refusalOf: firewall.localRefusal, listedOn: (address) => listedOn(mirror, address, ledgerSeconds()) },
      onSpooled: (failure) => warnables.set("spool-unwritable", failure !== undefined),
      onAsked: (isAnswered) => warnables.set("fail2ban-unreachable", !isAnswered),
      onFaults(faults) {
        for (const code of HEARING_FAULTS) warnables.set(code, faults.has(code), faults.get(code));
      },
    },
    {
      ...{ handoff: config["fail2ban.handoff"], log: config["fail2ban.log"], socket: config.socket },
      compareEveryMs: config["fail2ban.compare_every"],
      quietAfterMs: config["fail2ban.quiet_after"],
    },
  );
  const differed: number[] = [];
  const enforcement = createEnforcement({
    ...{ mirror, file, firewall, clock, log },
    onExemptChanged: () => void lift(),
    onDiffers: () => void differed.push(clock.monotonicMs()),
  });
  const applied = createAppliedReport(firewall, clock, (list, afterMs) => reports.again(list, afterMs));
  const reports = createReports({
    ...{ clock, applied, settled: firewall.settled },
    lists: () => mirror.lists().map(({ list }) => list.list),
    health: () => healthMessage(status()),
    hits: hits.takeReports,
  });

  function reportSoon(list: ListNo): void {
    reports.due(list, 0);
  }

  function actLocally(act: LocalAct): LocalResult | undefined {
    if (act.kind === "ended") {
      firewall.removeLocal(act.address);
      return undefined;
    }
    const outcome = firewall.addLocal(act.address, act.secondsLeft);
    if (outcome.kind === "enforced") return outcome;
    log.info("agent.local_not_enforced", { address: act.address, jail: act.jail, reason: outcome.reason });
    void lift(); // a pardon may lift it in fail2ban as well; the lifter never rejects
    return outcome;
  }

  function coordinators(): readonly string[] {
    return config.coordinators.length > 0 ? config.coordinators : (parts.identity()?.coordinators ?? []);
  }

  function onSettings({ localSeconds, pace, spoolMaxBytes, hitsTop, sessionProtection }: Settings): void {
    if (localSeconds > 0) firewall.setLocalSeconds(localSeconds);
    if (pace !== undefined) firewall.setPace({ targetMs: ms(pace.targetMs), cpuShare: pace.cpuPermille / 1_000 });
    if (spoolMaxBytes > 0) spool.limit(spoolMaxBytes);
    hits.setTop(hitsTop);
    own.setSessionProtection(sessionProtection);
  }

  function status(): AgentStatus {
    const { version, name } = parts;
    return describeAgent(
      { firewall, mirror, spool, intake: sources.intake, hits },
      {
        ...{ version, name, startedAtMs, link },
        protectedSessions: own.sessions.length,
        enforcing: enforcingStatus(parts.enforcing, clock.nowMs()),
        nowMs: clock.nowMs(),
        agentId: parts.identity()?.agentId,
        clockSkewMs: ledgerClock.skewMs(),
        certificateEndsAtMs: parts.certificateLife()?.endsAtMs,
        warnables: warnables.raised(),
      },
    );
  }

  const session = {
    ...{ clock, log, ledgerClock, spool, reports, onSettings },
    certificateEndsAtMs: () => parts.certificateLife()?.endsAtMs,
    lists: enforcement,
    hello: () =>
      makeHello(
        {
          ...{ version: parts.version, bootId: parts.bootId, startId, backend: backend.name },
          capacityEntries: config.max_entries,
          sentAtMs: clock.nowMs(),
          claims: claimedAddresses(own.machine, CLAIMS_MAX),
        },
        mirror,
        enforcement,
        spool,
      ),
    probe: answerProbe(firewall, backend.name),
    onOnline: () => void own.look().catch((error: unknown) => log.warn("agent.machine_unread", { error })),
  };

  const endedBecause = parts.enforcing.mode.kind === "ended" ? parts.enforcing.mode.because : "";
  warnables.set("trial-ended", endedBecause !== "" && config.backend !== "dry-run", endedBecause);

  const tasks: Record<string, Task> = {
    ...sources.tasks,
    firewall: firewall.run,
    async formerBackends(signal) {
      await replaceFormerBackends({ others: parts.otherBackends, firewall, clock, log }, signal);
      await rejected(signal);
    },
    hits: hits.run,
    async link(signal) {
      while (parts.identity() === undefined) await clock.sleep(NOT_ENROLLED_LOOK_MS, signal);
      await runLink(
        {
          ...{ dial: parts.dial, clock, random, log },
          runSession: (connection, address, inner) =>
            runSession({ ...session, onOnline: (welcome) => online(address, welcome.agentId) }, connection, inner),
          onState: (state) => {
            link = state;
          },
        },
        coordinators(),
        signal,
      );
    },
    machine: own.run,
    states: (signal) =>
      watchStates(
        {
          ...{ clock, warnables, mirror, file, firewall, spool, differed },
          listedLogins: () => own.sessions.filter((address) => isCutOff(mirror, address, ledgerSeconds())),
          link: () => link,
          identity: parts.identity,
          skewMs,
        },
        signal,
      ),
    renewal: (signal) => renewWhenDue({ ...{ clock, log, warnables }, life: parts.certificateLife, renew }, signal),
    async pardons(signal) {
      await lift();
      await rejected(signal);
    },
  };

  function online(address: string, agentId: string): void {
    link = { kind: "online", address, sinceMs: clock.nowMs(), agentId };
    log.info("link.online", { address, agentId, skewMs: skewMs() });
    session.onOnline();
  }

  async function renew(): Promise<void> {
    const [address] = coordinators();
    if (address !== undefined) await parts.renewCertificate(address);
  }

  return {
    status,
    async run(signal) {
      try {
        await runTasks(tasks, signal);
      } finally {
        await Promise.allSettled([spool.close(), file.close()]);
        await backend.close();
      }
    },
  };
}

function trialSecondsLeft({ mode, uptimeMs }: Enforcing): (() => number) | undefined {
  return mode.kind === "trial" ? () => (mode.endsAtUptimeMs - uptimeMs()) / 1_000 : undefined;
}

function enforcingStatus({ mode, uptimeMs }: Enforcing, nowMs: number): EnforcingStatus {
  if (mode.kind !== "trial") return mode;
  return { kind: "trial", endsAtMs: Math.round(nowMs + mode.endsAtUptimeMs - uptimeMs()) };
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
