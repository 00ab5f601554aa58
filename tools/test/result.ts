/** What running one test file or one check came to, and how a failure reads. */

export interface Failure {
  readonly test: string;
  readonly text: string;
}

export interface Skip {
  readonly test: string;
  readonly reason: string;
}

export interface FileResult {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly skipped: readonly Skip[];
  readonly tookMs: number;
}

export function failureText(name: string, { test, text }: Failure): string {
  const lines = text.trimEnd().split("\n");
  return [`  ✖ ${name} › ${test}`, ...lines.map((line) => `      ${line}`), ""].join("\n");
}
