/**
 * The one type by which rooms talk SQL: tagged templates of postgres.js, inside or outside a transaction.
 *
 * What comes back: `int8` as number (refused above 2^53 - 1), `numeric` and `cidr` as text, `timestamptz` as Date,
 * `jsonb` parsed, `bytea` as Buffer. Arrays go in as arrays of text or numbers with a cast (`${xs}::bigint[]`): the
 * driver gives an array of bigint, boolean, Date or Buffer the type of its first element, and Postgres refuses it.
 *
 * Never `sql.begin`: in postgres.js 3.4.9 a connection that dies within it throws out of an immediate and ends the
 * process. Transactions are `Store.transaction` and `Ledger.write`.
 */
import type postgres from "postgres";

export type Sql = Pick<postgres.ISql, "unsafe" | "array" | "json"> &
  (<Row extends readonly (object | undefined)[] = postgres.Row[]>(
    template: TemplateStringsArray,
    ...parameters: readonly postgres.ParameterOrFragment<never>[]
  ) => postgres.PendingQuery<Row>);
