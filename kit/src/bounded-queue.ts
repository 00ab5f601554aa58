/**
 * A queue between a producer and one consumer that takes all there is, with a bound and a word for what happens there.
 *
 * `wait`: the producer waits for room; `refuse`: the new item is not taken; `dropOldest`: the oldest makes room.
 */

export interface BoundedQueue<Item> {
  readonly size: number;
  /** False = the queue was full, and an item was refused or dropped. */
  push(item: Item): boolean;
  /** Waits until there is one; gives all, the oldest first. */
  takeAll(signal: AbortSignal): Promise<Item[]>;
}

export interface WaitingQueue<Item> extends Omit<BoundedQueue<Item>, "push"> {
  /** Resolves when the item is in the queue. */
  push(item: Item, signal: AbortSignal): Promise<void>;
}

interface AnyQueue<Item> extends Omit<BoundedQueue<Item>, "push"> {
  push(item: Item, signal: AbortSignal): boolean | Promise<void>;
}

export function createBoundedQueue<Item>(max: number, whenFull: "wait"): WaitingQueue<Item>;
export function createBoundedQueue<Item>(max: number, whenFull: "refuse" | "dropOldest"): BoundedQueue<Item>;
export function createBoundedQueue<Item>(max: number, whenFull: "wait" | "refuse" | "dropOldest"): AnyQueue<Item> {
  let items: Item[] = [];
  const arrived = createGate();
  const emptied = createGate();

  async function takeAll(signal: AbortSignal): Promise<Item[]> {
    while (items.length === 0) await arrived.wait(signal);
    const taken = items;
    items = [];
    emptied.open();
    return taken;
  }

  async function pushWaiting(item: Item, signal: AbortSignal): Promise<void> {
    while (items.length >= max) await emptied.wait(signal);
    items.push(item);
    arrived.open();
  }

  function pushNow(item: Item): boolean {
    const isFull = items.length >= max;
    if (isFull && whenFull === "refuse") return false;
    if (isFull) items.shift();
    items.push(item);
    arrived.open();
    return !isFull;
  }

  return {
    get size() {
      return items.length;
    },
    push: whenFull === "wait" ? pushWaiting : pushNow,
    takeAll,
  };
}

/** Those who wait go on at the next opening; it closes behind them. */
function createGate() {
  const waiting = new Set<() => void>();
  return {
    open(): void {
      for (const resume of waiting) resume();
    },
    wait(signal: AbortSignal): Promise<void> {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        function leave(): void {
          waiting.delete(resume);
          signal.removeEventListener("abort", stop);
        }
        function resume(): void {
          leave();
          resolve();
        }
        function stop(): void {
          leave();
          reject(signal.reason);
        }
        waiting.add(resume);
        signal.addEventListener("abort", stop, { once: true });
      });
    },
  };
}
