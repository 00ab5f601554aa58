/** Single statements over a few connections, each in its turn. */
import { type ConnectWith, createLives } from "./life.ts";
import type { Sql } from "./sql.ts";

export interface Pool {
  readonly sql: Sql;
  close(): Promise<void>;
}

export function openPool(connectWith: ConnectWith, connections: number): Pool {
  const all = Array.from({ length: connections }, () => createLives(connectWith, {}));
  let turn = 0;
  function next() {
    turn = (turn + 1) % all.length;
    return (all[turn] as (typeof all)[number]).present().client;
  }
  const sql = (template: TemplateStringsArray, ...parameters: never[]) => next()(template, ...parameters);
  const unsafe: Sql["unsafe"] = (...args) => next().unsafe(...args);
  const { array, json } = next(); // makers of values: they need no connection
  return {
    sql: Object.assign(sql, { unsafe, array, json }) as Sql,
    async close() {
      await Promise.all(all.map((lives) => lives.close()));
    },
  };
}
