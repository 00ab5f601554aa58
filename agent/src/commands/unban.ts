/** `fleetban-agent unban ADDRESS`: this server lets it go. A pardon for the fleet is the coordinator's affair. */
import { openAgentSocket } from "../drivers/ask-agent.ts";
import type { LiftAnswer } from "../sources/socket/answer.ts";
import { oneAddress } from "./one-address.ts";
import { OwnBanError } from "./own-ban-error.ts";

export interface UnbanOutput {
  readonly lines: readonly string[];
  /** For standard error. */
  readonly hint: string | undefined;
}

export async function unban(socket: string, text: string, { json = false }): Promise<UnbanOutput> {
  const ip = oneAddress(text);
  await using agent = await openAgentSocket(socket);
  const [answer] = await agent.ask([{ ip, kind: "lift" }]);
  if (answer?.ok !== true) throw new OwnBanError("not-lifted", answer?.error ?? `${ip}: no answer`);
  const { jails, fail2ban, listed } = answer as LiftAnswer;
  const hint =
    listed.length === 0
      ? undefined
      : `the fleet still lists it (${listed.join(", ")}), here as well; \`fleetban unban ${ip}\` on the coordinator pardons it everywhere`;
  if (json) return { lines: [JSON.stringify({ address: ip, jails, fail2ban, listed })], hint };
  const what = jails.length === 0 ? "no ban of it was known here" : `let go here, banned by ${jails.join(", ")}`;
  const inFail2ban = fail2ban === undefined ? "fail2ban was not reached" : `${fail2ban} bans lifted in fail2ban`;
  return { lines: [`${ip}: ${what}; ${inFail2ban}`], hint };
}
