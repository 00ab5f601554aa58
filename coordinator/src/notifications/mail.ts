/** A message as a mail. Pure; how it is sent is the driver's. */
import type { MailChannel } from "./channel.ts";
import type { Message } from "./message.ts";

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly date: Date;
  /** The same at each attempt, so that a receiver keeps one. */
  readonly messageId: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function mailOf(
  { from, to }: MailChannel,
  { message, messageId, plannedAtMs }: { message: Message; messageId: string; plannedAtMs: number },
): Mail {
  const domain = /@([^\s<>@]+)>?$/.exec(from)?.[1] ?? "fleetban.invalid";
  return {
    from,
    to,
    subject: message.subject,
    text: message.text,
    date: new Date(plannedAtMs),
    messageId: `<${messageId}@${domain}>`,
    // So that nobody's absence answers it.
    headers: { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
  };
}
