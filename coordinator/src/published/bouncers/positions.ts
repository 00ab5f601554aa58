/**
 * How far each bouncer has come, by its token and address: which step it was told last.
 *
 * That an answer was written says nothing of whether it arrived. A bouncer that asks again over the same connection has read
 * the last one to its end; over another one it may have lost it, and is told it once more.
 */
export interface Position {
  readonly key: string;
  readonly latest: number;
  readonly previous: number;
  readonly connection: WeakRef<object>;
}

export interface Positions {
  /** The step from which on it has to be told; undefined = nothing is known of it. */
  knows(bouncer: string, key: string, connection: object): number | undefined;
  told(bouncer: string, key: string, step: number, connection: object): void;
}

const BOUNCERS_MAX = 20_000;

export function createPositions(): Positions {
  const positions = new Map<string, Position>();
  return {
    knows(bouncer, key, connection) {
      const position = positions.get(bouncer);
      if (position === undefined || position.key !== key) return undefined;
      return position.connection.deref() === connection ? position.latest : position.previous;
    },
    told(bouncer, key, step, connection) {
      const before = positions.get(bouncer);
      const previous = before === undefined || before.key !== key ? step : before.latest;
      positions.delete(bouncer);
      positions.set(bouncer, { key, latest: step, previous, connection: new WeakRef(connection) });
      const [oldest] = positions.keys(); // the one that has not asked for longest
      if (positions.size > BOUNCERS_MAX && oldest !== undefined) positions.delete(oldest);
    },
  };
}
