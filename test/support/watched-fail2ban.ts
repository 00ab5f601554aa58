/** A real fail2ban and the agent's sources beside it, in a folder of their own; all ended after each test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Fail2ban, type Fail2banConfig, startFail2ban } from "./fail2ban.ts";
import { eventually } from "./fleet/eventually.ts";
import { type SourcesHarness, startSources } from "./sources-harness.ts";

export interface WatchedFail2ban {
  readonly folder: string;
  readonly fail2ban: Fail2ban;
  /** What is in the same folder starts again, with the same settings. */
  restart(): Promise<Fail2ban>;
  /** The agent's sources; those before have to be stopped. */
  listen(sources: {
    readonly handoff?: boolean;
    readonly log?: boolean;
    readonly server?: boolean;
  }): Promise<SourcesHarness>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function watchFail2ban(config: Omit<Fail2banConfig, "folder">): Promise<WatchedFail2ban> {
  const folder = await mkdtemp(join(tmpdir(), "fb-watched-"));
  let fail2ban = await startFail2ban({ folder, ...config });
  const harnesses: SourcesHarness[] = [];
  return {
    folder,
    get fail2ban() {
      return fail2ban;
    },
    async restart() {
      fail2ban = await startFail2ban({ folder, ...config });
      return fail2ban;
    },
    async listen({ handoff = false, log = false, server = false }) {
      const paths = {
        ...(handoff ? { handoffPath: join(folder, "handoff/handoff") } : {}),
        ...(log ? { logPath: join(folder, "fail2ban.log") } : {}),
      };
      const socketPath = join(folder, "fail2ban.sock");
      const harness = await startSources({ folder, socketPath, isReconciled: server, ...paths });
      harnesses.push(harness);
      return harness;
    },
    async [Symbol.asyncDispose]() {
      for (const harness of harnesses) await harness.stop();
      await fail2ban.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Bans an address more and waits until it is told: what was written before it has been read. */
export async function readToHere(f2b: Fail2ban, agent: SourcesHarness, jail: string, address: string): Promise<void> {
  await f2b.banip(jail, address);
  await eventually("the next ban is told", async () => (await agent.toldTexts()).includes(`ban ${jail} ${address}`));
}
