/** The forms that AbuseIPDB's answers have: JSON, errors as JSON or as a whole HTML page, and the two kinds of 429. */

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ApiError {
  readonly status: number;
  readonly detail: string;
  readonly parameter?: string;
}

const UNAUTHORIZED =
  "Authentication failed. Your API key is either missing, incorrect, or revoked. " +
  "Note: The APIv2 key differs from the APIv1 key.";

export function jsonAnswer(value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}

/** Who does not ask for JSON gets a page for people, with the same status. */
export function errorAnswer(error: ApiError, accept: string, headers: Readonly<Record<string, string>> = {}): Answer {
  if (!accept.includes("json")) return { ...htmlAnswer(error.status, error.detail), headers: { ...HTML, ...headers } };
  const source = error.parameter === undefined ? {} : { source: { parameter: error.parameter } };
  const body = JSON.stringify({ errors: [{ detail: error.detail, status: error.status, ...source }] });
  return { status: error.status, headers: { "content-type": "application/json", ...headers }, body };
}

const HTML = { "content-type": "text/html; charset=UTF-8" };

export function htmlAnswer(status: number, text: string): Answer {
  const body = `<!DOCTYPE html>\n<html lang="en"><head><title>${status}</title></head><body><h1>${status}</h1><p>${text}</p></body></html>\n`;
  return { status, headers: HTML, body };
}

export const unauthorized: ApiError = { status: 401, detail: UNAUTHORIZED };

export function quotaError(callsPerDay: number): ApiError {
  const detail = `Daily rate limit of ${callsPerDay} requests exceeded for this endpoint. See headers for additional details.`;
  return { status: 429, detail };
}

export function duplicateError(address: string): ApiError {
  const detail = `You can only report the same IP address (\`${address}\`) once in 15 minutes.`;
  return { status: 429, detail, parameter: "ip" };
}

export function invalid(parameter: string, detail: string): ApiError {
  return { status: 422, detail, parameter };
}
