/** A long list piece by piece, in its order: what goes into one statement, commit or message is bounded. */

/** Each of `size` items, the last of what is left; none of an empty list. */
export function* piecesOf<Item>(items: readonly Item[], size: number): Generator<Item[], void> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
