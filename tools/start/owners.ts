/**
 * Who runs us: the process above, and those up to the `npm` that was typed. When one of them is killed, nobody is left to
 * press Ctrl-C, and so we end ourselves.
 */
import { isAlive, type ProcessName, processFacts } from "./process-facts.ts";

const GENERATIONS_MAX = 4;

export function ownersOf(parent: number): readonly ProcessName[] {
  const line: ProcessName[] = [];
  for (let pid = parent; pid > 1 && line.length < GENERATIONS_MAX; ) {
    const facts = processFacts(pid);
    if (facts === undefined) break;
    line.push(facts);
    if (facts.command.startsWith("npm")) return line;
    pid = facts.parent;
  }
  return line.slice(0, 1); // run without npm: what lies above may go (nohup)
}

export function areAlive(owners: readonly ProcessName[]): boolean {
  return owners.every(isAlive);
}
