/** Names of the mirror's files: `3.7.base` and `3.7.log` are list 3, seventh time written whole, and the deltas since. */
import { type ListNo, listNo } from "@fleetban/proto/model/listing";

export interface Generation {
  readonly list: ListNo;
  readonly number: number;
}

const NAME = /^(\d+)\.(\d+)\.(?:base|log)$/;

export function baseName({ list, number }: Generation): string {
  return `${list}.${number}.base`;
}

export function logName({ list, number }: Generation): string {
  return `${list}.${number}.log`;
}

/** Each generation once, a list's newest first; names that are none of ours are passed over. */
export function generationsIn(names: readonly string[]): Generation[] {
  const found = new Map<string, Generation>();
  for (const name of names) {
    const [, list, number] = NAME.exec(name) ?? [];
    if (list !== undefined) found.set(`${list}.${number}`, { list: listNo(Number(list)), number: Number(number) });
  }
  return [...found.values()].sort((a, b) => a.list - b.list || b.number - a.number);
}
