/** What is decided: one prefix on one list. */
import type { ListNo } from "@fleetban/proto/model/listing";
import type { Prefix } from "@fleetban/proto/model/prefix";

export interface Subject {
  readonly prefix: Prefix;
  readonly list: ListNo;
}

/** Its key in a map. */
export function subjectKey({ prefix, list }: Subject): string {
  return `${list} ${prefix}`;
}

/** Each once, in the order in which they come. */
export function distinctSubjects(subjects: readonly Subject[]): Subject[] {
  return [...new Map(subjects.map((subject) => [subjectKey(subject), subject])).values()];
}
