/** Lets the event loop run once, between two pieces of a long piece of work. */

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
