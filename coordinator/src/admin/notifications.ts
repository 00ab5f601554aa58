/** Notifications as operators see them, and a test of their channels. */
import { randomUUID } from "node:crypto";
import type {
  ListNotificationsRequest,
  ListNotificationsResponse,
  TestedChannel,
  TestNotificationsRequest,
  TestNotificationsResponse,
} from "@fleetban/proto/wire/admin";
import { type Channel, targetOf } from "../notifications/channel.ts";
import { deliver } from "../notifications/deliver.ts";
import { channelsFor } from "../notifications/find-news.ts";
import { testMessage } from "../notifications/message.ts";
import { NEWS_TOPICS } from "../notifications/notification-table.ts";
import { notificationsList, waitingNews } from "../notifications/notifications-status.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

const LISTED = 20;
const MAX = 1_000;

export async function listNotifications(
  { store, notifications }: AdminParts,
  { limit }: ListNotificationsRequest,
): Promise<ListNotificationsResponse> {
  const { channels } = notifications;
  const policy = notifications.policy();
  const waiting = await waitingNews(store.sql);
  const messages = await notificationsList(store.sql, Math.min(limit || LISTED, MAX));
  return {
    channels: channels.map((channel) => ({
      name: channel.name,
      kind: channel.kind,
      target: targetOf(channel),
      topics: NEWS_TOPICS.filter((topic) => channelsFor(notifications, policy, topic).includes(channel.name)),
      waiting: waiting.get(channel.name) ?? 0,
    })),
    notifications: [...messages],
    unknownChannels: unknownChannels(
      channels,
      NEWS_TOPICS.flatMap((topic) => policy.routes[topic].to),
    ),
  };
}

function unknownChannels(channels: readonly Channel[], named: readonly string[]): string[] {
  const known = new Set(["*", ...channels.map(({ name }) => name)]);
  return [...new Set(named)].filter((name) => !known.has(name));
}

/** At once and beside the queue: whoever asks wants to see what comes of it. */
export async function testNotifications(
  parts: AdminParts,
  caller: Caller,
  { channel: named }: TestNotificationsRequest,
): Promise<TestNotificationsResponse> {
  const { channels } = parts.notifications;
  const chosen = channels.filter(({ name }) => named === "" || name === named);
  if (chosen.length === 0) {
    const known = channels.map(({ name }) => name).join(", ");
    throw new AdminError(
      "not-found",
      named === "" ? "no channel is configured" : `channel ${named}: is not configured`,
      {
        hint:
          known === ""
            ? "see notifications.mail and notifications.webhooks in coordinator.yaml"
            : `there are: ${known}`,
      },
    );
  }
  const tested: TestedChannel[] = [];
  for (const channel of chosen) tested.push(await testChannel(parts, channel, caller.signal));
  await parts.store.transaction((sql) =>
    recordAct(sql, caller, {
      act: "notifications test",
      subject: chosen.map(({ name }) => name).join(", "),
      after: tested.map(({ channel, sent, note }) => ({ channel, sent, note })),
    }),
  );
  parts.metrics.auditRecord();
  return { tested };
}

async function testChannel(
  parts: AdminParts,
  channel: Channel,
  signal: AbortSignal | undefined,
): Promise<TestedChannel> {
  const { notifications, ledger } = parts;
  const sendable = {
    message: testMessage(channel.name, notifications.replica),
    messageId: randomUUID(),
    plannedAtMs: ledger.ledgerTimeMs(),
  };
  const delivery = await deliver(notifications, channel, sendable, signal ?? new AbortController().signal);
  const note = delivery.kind === "sent" ? (delivery.note ?? "") : delivery.reason;
  return { channel: channel.name, target: targetOf(channel), sent: delivery.kind === "sent", note };
}
