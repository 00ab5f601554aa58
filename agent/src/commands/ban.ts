/** `fleetban-agent ban ADDRESS`: a ban by whoever typed it, enforced here at once and told to the fleet. */
import { openAgentSocket } from "../drivers/ask-agent.ts";
import type { BanAnswer } from "../sources/socket/answer.ts";
import { banSeconds } from "./ban-seconds.ts";
import { oneAddress } from "./one-address.ts";
import { OwnBanError } from "./own-ban-error.ts";

export interface BanOptions {
  /** A duration, or `forever`. */
  readonly for: string;
  /** What is said to have banned it. */
  readonly jail: string;
  readonly reason?: string | undefined;
  readonly json?: boolean | undefined;
}

export async function ban(socket: string, text: string, options: BanOptions): Promise<readonly string[]> {
  const ip = oneAddress(text);
  const seconds = banSeconds(options.for);
  await using agent = await openAgentSocket(socket);
  const { jail, reason = "" } = options;
  const [answer] = await agent.ask([{ ip, kind: "ban", jail, ban_seconds: seconds, reason, strict: true }]);
  if (answer?.ok !== true) {
    throw new OwnBanError("not-banned", answer?.error ?? `${ip}: no answer`, {
      hint: "what is exempt or this machine's own is never banned; `fleetban explain` on the coordinator says more",
    });
  }
  const { told, enforced } = answer as BanAnswer;
  if (options.json === true) return [JSON.stringify({ address: ip, jail, ban_seconds: seconds, told, enforced })];
  const length = seconds < 0 ? "for ever" : `for ${options.for}`;
  return [`${ip}: banned here ${length}, ${told ? "told to the fleet" : "known already"}`];
}
