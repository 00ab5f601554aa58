/**
 * Sends messages that are due, each leased before anybody is asked, and tries again what was not taken, with growing rests.
 *
 * One that perhaps was taken without an answer is sent again under the same name, a few times: its receiver can tell by it,
 * and a hold that nobody hears of is worse than one that somebody hears of twice.
 */
import { backoffMs } from "@fleetban/kit/backoff";
import { ExchangeError } from "../reports/exchange.ts";
import type { Channel, Delivery } from "./channel.ts";
import { mailOf } from "./mail.ts";
import type { Message } from "./message.ts";
import type { NotificationsParts } from "./parts.ts";
import { type ClaimedMessage, claimMessages, planMessageAgain, settleMessage } from "./queries.ts";
import { readWebhookAnswer, webhookRequest } from "./webhook.ts";

const MESSAGES_A_TURN = 50;
/** Longer than a channel's own deadline. */
const LEASE_SECONDS = 120;
const REST = { baseMs: 30_000, maxMs: 3_600_000 };
const REST_MIN_MS = 5_000;
const GIVEN_UP_MS = 24 * 3_600_000;
const UNANSWERED_MAX = 3;

export async function deliverMessages(parts: NotificationsParts, signal: AbortSignal): Promise<void> {
  const channels = new Map(parts.channels.map((channel) => [channel.name, channel]));
  for (let sent = 0; sent < MESSAGES_A_TURN; sent += 1) {
    signal.throwIfAborted();
    const [claimed] = await claimMessages(parts.store.sql, [...channels.keys()], {
      limit: 1,
      leaseSeconds: LEASE_SECONDS,
    });
    const channel = claimed && channels.get(claimed.channel);
    if (claimed === undefined || channel === undefined) return;
    const delivery = await deliver(parts, channel, claimed, signal);
    await settle(parts, claimed, delivery);
  }
}

export interface Sendable {
  readonly message: Message;
  readonly messageId: string;
  readonly plannedAtMs: number;
}

/** Once; never rejects but for the signal. */
export async function deliver(
  { exchange, sendMail, programVersion }: Pick<NotificationsParts, "exchange" | "sendMail" | "programVersion">,
  channel: Channel,
  sendable: Sendable,
  signal: AbortSignal,
): Promise<Delivery> {
  if (channel.kind === "mail") return await sendMail(channel, mailOf(channel, sendable), signal);
  try {
    return readWebhookAnswer(await exchange(webhookRequest(channel, { ...sendable, programVersion }), signal));
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    return { kind: "again", reason: error.message, mayHaveArrived: error.code === "no-answer" };
  }
}

async function settle(parts: NotificationsParts, claimed: ClaimedMessage, delivery: Delivery): Promise<void> {
  const { store, ledger, random, log, observe } = parts;
  const { notificationNo, channel, attempts, plannedAtMs } = claimed;
  observe(channel, delivery.kind);
  if (delivery.kind === "sent") {
    await settleMessage(store.sql, notificationNo, { state: "sent", problem: delivery.note });
    log.info("notifications.sent", { channel, notification: notificationNo, attempts });
    return;
  }
  const isOld = ledger.ledgerTimeMs() - plannedAtMs > GIVEN_UP_MS;
  const isUnanswered = delivery.kind === "again" && delivery.mayHaveArrived && attempts >= UNANSWERED_MAX;
  const { reason } = delivery;
  if (delivery.kind === "refused" || isOld || isUnanswered) {
    const problem = delivery.kind === "refused" ? reason : `given up: ${reason}`;
    await settleMessage(store.sql, notificationNo, { state: "refused", problem });
    log.error("notifications.refused", { channel, notification: notificationNo, attempts, reason });
    return;
  }
  const inMs = REST_MIN_MS + backoffMs(attempts, random, REST);
  await planMessageAgain(store.sql, notificationNo, { inMs, problem: reason });
  log.warn("notifications.not_taken", { channel, notification: notificationNo, attempts, reason, inMs });
}
