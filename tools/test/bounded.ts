/** Calls `act` for every item, at most `concurrency` at once, in order of the items. */
export async function forEachBounded<Item>(
  items: readonly Item[],
  concurrency: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const work = async () => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
