/** A message as a POST to a webhook, in the form that its receiver takes, and what its answer means. Pure. */
import { createHmac } from "node:crypto";
import type { Answered, ExchangeRequest } from "../reports/exchange.ts";
import type { Delivery, WebhookChannel } from "./channel.ts";
import type { Message } from "./message.ts";

export interface WebhookMessage {
  readonly message: Message;
  readonly messageId: string;
  readonly plannedAtMs: number;
  readonly programVersion: string;
}

const DEADLINE_MS = 15_000;
const ANSWER_MAX_BYTES = 65_536;
const DISCORD_MAX = 2_000;
/** Asked too often, or not able to just now. */
const LATER = new Set([408, 423, 425, 429]);

export function webhookRequest(channel: WebhookChannel, wanted: WebhookMessage): ExchangeRequest {
  const { contentType, body } = bodyOf(channel, wanted);
  const signature =
    channel.secret === undefined
      ? {}
      : { "x-fleetban-signature": `sha256=${createHmac("sha256", channel.secret).update(body).digest("hex")}` };
  return {
    method: "POST",
    url: channel.url,
    headers: {
      "content-type": contentType,
      "user-agent": `fleetban/${wanted.programVersion} (notifications)`,
      // The same at each attempt, so that a receiver keeps one.
      "idempotency-key": wanted.messageId,
      ...signature,
    },
    body,
    maxBytes: ANSWER_MAX_BYTES,
    deadlineMs: DEADLINE_MS,
  };
}

export function readWebhookAnswer({ status }: Answered): Delivery {
  if (status >= 200 && status < 300) return { kind: "sent" };
  const reason = `status ${status}`;
  return status >= 500 || LATER.has(status)
    ? { kind: "again", reason, mayHaveArrived: false }
    : { kind: "refused", reason: `${reason}; look at its url` };
}

function bodyOf({ format }: WebhookChannel, wanted: WebhookMessage): { contentType: string; body: string } {
  const { subject, text, counts, news } = wanted.message;
  const json = (value: unknown) => ({ contentType: "application/json", body: JSON.stringify(value) });
  switch (format) {
    case "json": {
      const at = new Date(wanted.plannedAtMs).toISOString();
      return json({ id: wanted.messageId, at, subject, text, counts, news });
    }
    case "slack":
      return json({ text: `*${escaped(subject)}*\n${asCode(escaped(text))}` });
    case "discord": {
      const title = `**${subject}**\n`;
      const left = DISCORD_MAX - title.length - asCode("").length;
      const cut = text.length > left ? `${text.slice(0, left - 1)}…` : text;
      return json({ content: `${title}${asCode(cut)}`, allowed_mentions: { parse: [] } }); // nobody is called by a jail's name
    }
    case "text":
      return { contentType: "text/plain; charset=utf-8", body: `${subject}\n\n${text}` };
  }
}

/** As it stands: what an attacker has put into a name is neither a link nor markup, and ends no code. */
function asCode(text: string): string {
  return `\`\`\`\n${text.replaceAll("`", "'")}\`\`\``;
}

/** In Slack's text <!channel> would call everybody. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
