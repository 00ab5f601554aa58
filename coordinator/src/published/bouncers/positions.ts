/**
 * How far each bouncer has come, by its token and address: what it was told, and what of that has arrived.
 *
 * That an answer was written says nothing of whether it arrived. A bouncer that asks again over the same connection has read
 * the last answer to its end; one that no longer says that it is starting has had the answer to its start. Until then it is
 * told the same again, together with what is new. A bouncer that never uses a connection twice can't show that it has read
 * anything: it is told each thing in so many answers, and then counts as told.
 */
import type { Pulled } from "../token-queries.ts";

export interface Told {
  /** Of the announcements. */
  readonly step: number;
  readonly pulled: Pulled;
}

export interface Asked {
  readonly connection: object;
  /** It says that it knows nothing. */
  readonly isStarting: boolean;
}

export interface Positions {
  /** What the bouncer has for certain; undefined = nothing is known of it. */
  knows(bouncer: string, key: string, asked: Asked): Told | undefined;
  told(bouncer: string, key: string, told: Told, asked: Asked): void;
}

interface Position {
  readonly key: string;
  readonly known: Told | undefined;
  /** Perhaps arrived, the oldest first. */
  readonly unsure: readonly Told[];
  readonly isStarting: boolean;
  /** It has used one twice. */
  readonly keepsConnections: boolean;
  readonly connection: WeakRef<object>;
}

const BOUNCERS_MAX = 20_000;
/** Answers with the same in them, of which one arrives. */
const TOLD_TIMES = 4;
/** To one that keeps its connections, all of which broke: it polls each ten seconds to a minute. */
const TOLD_TIMES_KEEPING = 64;

export function createPositions(): Positions {
  const positions = new Map<string, Position>();
  return {
    knows(bouncer, key, { connection, isStarting }) {
      const position = positions.get(bouncer);
      if (position === undefined || position.key !== key) return undefined;
      const isSame = position.connection.deref() === connection;
      const hasArrived = isSame || (position.isStarting && !isStarting);
      if (!hasArrived) return position.known;
      const known = position.unsure.at(-1) ?? position.known;
      const keepsConnections = position.keepsConnections || isSame;
      positions.set(bouncer, { ...position, known, unsure: [], isStarting: false, keepsConnections });
      return known;
    },
    told(bouncer, key, told, { connection, isStarting }) {
      const position = positions.get(bouncer);
      const before = position?.key === key && !isStarting ? position : undefined;
      const keepsConnections = position?.keepsConnections ?? false;
      const unsure = [...(before?.unsure ?? []), told];
      const settled = unsure.length < (keepsConnections ? TOLD_TIMES_KEEPING : TOLD_TIMES) ? undefined : unsure.shift();
      const known = settled ?? before?.known;
      positions.delete(bouncer);
      positions.set(bouncer, { key, known, unsure, isStarting, keepsConnections, connection: new WeakRef(connection) });
      const [oldest] = positions.keys(); // the one that has not asked for longest
      if (positions.size > BOUNCERS_MAX && oldest !== undefined) positions.delete(oldest);
    },
  };
}
