/** Which decisions a bouncer wants, as its query says: the parameters of CrowdSec's local API. */
import { RequestError } from "../list-request.ts";
import type { Decision } from "./decision.ts";

export interface Filter {
  wants(decision: Decision): boolean;
  /** It may have been told of the prefix: what it rested on then, its scenario does not say. */
  mayHave(decision: Decision): boolean;
}

/** Each is compared with every listing. */
const WORDS_MAX = 32;

/** Of `/decisions/stream` and `/decisions` alike; a parameter that is not there lets everything through. */
export function filterOf(query: URLSearchParams): Filter {
  const scopes = wordsOf(query.get("scopes") ?? query.get("scope"));
  const origins = wordsOf(query.get("origins"));
  const containing = wordsOf(query.get("scenarios_containing"));
  const without = wordsOf(query.get("scenarios_not_containing"));
  const type = query.get("type")?.toLowerCase();
  const value = query.get("value")?.toLowerCase();
  const mayHave = (decision: Decision) =>
    (scopes === undefined || scopes.includes(decision.scope.toLowerCase())) &&
    (origins === undefined || origins.includes(decision.origin)) &&
    (type === undefined || type === decision.type) &&
    (value === undefined || value === decision.value);
  return {
    mayHave,
    wants: (decision) =>
      mayHave(decision) &&
      (containing === undefined || containing.some((word) => decision.scenario.includes(word))) &&
      !without?.some((word) => decision.scenario.includes(word)),
  };
}

function wordsOf(text: string | null): readonly string[] | undefined {
  const words = text?.toLowerCase().split(",");
  if (words === undefined || words.length <= WORDS_MAX) return words;
  throw new RequestError(400, `${words.length} words in one parameter: at most ${WORDS_MAX}`, "ask for fewer");
}
