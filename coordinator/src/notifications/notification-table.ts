/** The policy file's keys of this room: which news go where, how much is gathered into one message, how many go out. */
import type { ConfigOf, ConfigTable } from "@fleetban/kit/config";

const CHANNEL_PATTERN = /^(?:\*|[A-Za-z0-9][A-Za-z0-9_-]{0,39})$/;

export const NOTIFICATION_TABLE = {
  "notifications.first_listings.to": channels("Where it is told which addresses the fleet lists for the first time"),
  "notifications.first_listings.every": gathered("1h", "They are gathered for so long into one message"),
  "notifications.repeat_offenders.to": channels("Where it is told which addresses have become repeat offenders"),
  "notifications.repeat_offenders.every": gathered("15m", "They are gathered for so long into one message"),
  "notifications.holds.to": channels("Where it is told that a change waits for an operator"),
  "notifications.holds.every": gathered("1m", "They are gathered for so long into one message"),
  "notifications.agents.to": channels("Where it is told that an agent is gone, and that it is back"),
  "notifications.agents.every": gathered("1m", "They are gathered for so long into one message"),
  "notifications.agents.gone_after": {
    kind: "duration",
    default: "10m",
    min: "1m",
    max: "7d",
    description: "An agent that was not connected for so long is gone",
  },
  "notifications.messages_per_hour": {
    kind: "number",
    default: 12,
    min: 1,
    max: 1_000,
    description: "No channel gets more messages an hour; what is over is gathered into the next one",
  },
} as const satisfies ConfigTable;

/** What is told, each with a route of its own. */
export const NEWS_TOPICS = ["first_listings", "repeat_offenders", "holds", "agents"] as const;
export type NewsTopic = (typeof NEWS_TOPICS)[number];

export interface NewsRoute {
  /** Names of channels; * = all that are configured. */
  readonly to: readonly string[];
  readonly everySeconds: number;
}

export interface NotificationPolicy {
  readonly routes: Readonly<Record<NewsTopic, NewsRoute>>;
  readonly goneAfterSeconds: number;
  readonly messagesPerHour: number;
}

/** Gives the one in force now. */
export type NotificationPolicySource = () => NotificationPolicy;

export function notificationPolicyOf(config: ConfigOf<typeof NOTIFICATION_TABLE>): NotificationPolicy {
  const route = (topic: NewsTopic): NewsRoute => ({
    to: config[`notifications.${topic}.to`],
    everySeconds: config[`notifications.${topic}.every`] / 1_000,
  });
  return {
    routes: {
      first_listings: route("first_listings"),
      repeat_offenders: route("repeat_offenders"),
      holds: route("holds"),
      agents: route("agents"),
    },
    goneAfterSeconds: config["notifications.agents.gone_after"] / 1_000,
    messagesPerHour: config["notifications.messages_per_hour"],
  };
}

function channels(what: string) {
  return {
    kind: "texts",
    default: ["*"],
    description: `${what}: names of channels of coordinator.yaml (mail, or a webhook's), * = all, [] = nowhere`,
    check: (text: string) => (CHANNEL_PATTERN.test(text) ? undefined : "must be the name of a channel, or *"),
  } as const;
}

function gathered(every: string, description: string) {
  return { kind: "duration", default: every, min: "10s", max: "7d", description } as const;
}
