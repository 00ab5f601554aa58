/**
 * Ops as transactions over elements: what is refused is found out, left out and named, the rest is done.
 *
 * Up to hundreds of elements go in one message, many messages in one transaction. When one is refused nothing of the
 * transaction is done, and the kernel has named every refused message: those of several elements are broken up, those of
 * one are settled by what was wrong, and it is tried again. Each attempt settles or breaks up at least one message.
 */
import { bytesOf, type Family } from "@fleetban/proto/model/prefix";
import type { Op, Refusal } from "../backend.ts";
import { type Conversation, type Request, WHOLE } from "./conversation.ts";
import { type Counted, type ElementSet, elementsRequest, entriesIn } from "./element.ts";
import type { KernelFeatures } from "./kernel-features.ts";
import { ERRNO, FLAG, MAX_TIMEOUT_SECONDS, MESSAGE } from "./protocol.ts";
import { refusalOf } from "./table-error.ts";
import { getSet } from "./table-requests.ts";

/** An op on the kernel set that it concerns. */
export interface ElementOp {
  readonly op: Op;
  readonly family: Family;
  readonly set: string;
}

/** 56 bytes an IPv6 element: 28 KB. */
const ELEMENTS_A_MESSAGE = 500;
/** So that a transaction fits into the buffer, and its answers, should all be refused, into the socket's. */
const ELEMENTS_A_TRANSACTION = 2_000;
const MESSAGES_A_TRANSACTION = 120;

/** `replace` = delete and add in one transaction, for kernels that don't renew. */
type Verb = "add" | "remove" | "replace";

interface Step {
  readonly verb: Verb;
  readonly target: ElementSet;
  readonly ops: readonly ElementOp[];
  readonly counted?: Counted | undefined;
  /** How often it became another verb: an element that comes and goes under our hands is given up. */
  readonly turns?: number;
}

const MAX_TURNS = 4;

/** Not more ops than `ELEMENTS_A_TRANSACTION` keep the event loop from turning; the caller slices. */
export function applyElements(
  kernel: Conversation,
  features: KernelFeatures,
  ops: readonly ElementOp[],
): readonly Refusal[] {
  const refusals: Refusal[] = [];
  let waiting = stepsOf(ops);
  while (waiting.length > 0) {
    const count = fitting(waiting);
    const now = waiting.slice(0, count);
    const rest = waiting.slice(count);
    const errors = transactSteps(kernel, features, now);
    const whole = errors.get(WHOLE);
    if (whole !== undefined) {
      for (const { op } of now.flatMap((step) => step.ops)) refusals.push(refusalOf(op, whole));
      waiting = rest;
    } else if (errors.size === 0) {
      waiting = rest;
    } else {
      const again = now.flatMap((step, place) => settle(kernel, features, step, errors.get(place), refusals));
      waiting = [...again, ...rest];
    }
  }
  return refusals;
}

export const OPS_A_TURN = ELEMENTS_A_TRANSACTION;

function stepsOf(ops: readonly ElementOp[]): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < ops.length; ) {
    const first = ops[at];
    if (first === undefined) break;
    let end = at + 1;
    while (end - at < ELEMENTS_A_MESSAGE && belongsTo(first, ops[end])) end += 1;
    steps.push(stepOf(first, ops.slice(at, end)));
    at = end;
  }
  return steps;
}

function belongsTo(first: ElementOp, next: ElementOp | undefined): boolean {
  return next !== undefined && next.op.kind === first.op.kind && next.set === first.set && next.family === first.family;
}

function stepOf({ op, family, set }: ElementOp, ops: readonly ElementOp[]): Step {
  return { verb: op.kind, target: { family, set }, ops };
}

/** How many of the first steps make one transaction. */
function fitting(steps: readonly Step[]): number {
  let elements = 0;
  let messages = 0;
  let count = 0;
  for (const step of steps) {
    elements += step.ops.length;
    messages += step.verb === "replace" ? 2 : 1;
    if (count > 0 && (elements > ELEMENTS_A_TRANSACTION || messages > MESSAGES_A_TRANSACTION)) break;
    count += 1;
  }
  return count;
}

/** Errors by step. */
function transactSteps(
  kernel: Conversation,
  features: KernelFeatures,
  steps: readonly Step[],
): ReadonlyMap<number, number> {
  const requests: Request[] = [];
  const stepAt: number[] = [];
  steps.forEach((step, place) => {
    for (const request of requestsOf(step, features)) {
      requests.push(request);
      stepAt.push(place);
    }
  });
  const errors = new Map<number, number>();
  for (const [place, errno] of kernel.transact(requests)) errors.set(stepAt[place] ?? WHOLE, errno);
  return errors;
}

function requestsOf({ verb, target, ops, counted }: Step, features: KernelFeatures): readonly Request[] {
  const elements = ops.map(({ op }) => elementOf(op, counted));
  const remove = features.forgives ? MESSAGE.destroyElement : MESSAGE.deleteElement;
  const add = (flags: number) => elementsRequest(MESSAGE.newElement, FLAG.create | flags, target, elements);
  if (verb === "remove") return [elementsRequest(remove, 0, target, elements)];
  if (verb === "replace") return [elementsRequest(MESSAGE.deleteElement, 0, target, elements), add(0)];
  return [add(features.renews ? 0 : FLAG.exclusive)];
}

function elementOf(op: Op, counted: Counted | undefined) {
  const timeoutSeconds = op.kind === "add" ? Math.min(op.timeoutSeconds, MAX_TIMEOUT_SECONDS) : 0;
  return { key: bytesOf(op.prefix), timeoutSeconds, counted };
}

/** What is to be tried of this step next time. */
function settle(
  kernel: Conversation,
  features: KernelFeatures,
  step: Step,
  errno: number | undefined,
  refusals: Refusal[],
): readonly Step[] {
  if (errno === undefined) return [step];
  if (step.ops.length > 1) return step.ops.map((op) => stepOf(op, [op]));
  const turns = (step.turns ?? 0) + 1;
  if (turns <= MAX_TURNS && step.verb === "add" && errno === ERRNO.exists) {
    return [{ ...step, turns, verb: "replace", counted: countedOf(kernel, features, step) }];
  }
  if (turns <= MAX_TURNS && step.verb === "replace" && errno === ERRNO.absent && isThere(kernel, step)) {
    return [{ ...step, turns, verb: "add" }]; // its time had run out
  }
  if (step.verb === "remove" && errno === ERRNO.absent && isThere(kernel, step)) return [];
  for (const { op } of step.ops) refusals.push(refusalOf(op, errno));
  return [];
}

/** An element that is replaced goes on counting from where it was. */
function countedOf(kernel: Conversation, { counts }: KernelFeatures, step: Step): Counted | undefined {
  if (!counts) return undefined;
  let counted: Counted | undefined;
  const elements = step.ops.map(({ op }) => elementOf(op, undefined));
  kernel.ask(elementsRequest(MESSAGE.getElement, 0, step.target, elements), (message) => {
    const [entry] = entriesIn(message, step.target.family === 4 ? 32 : 128);
    if (entry !== undefined) counted = { packets: entry.packets, bytes: entry.bytes };
  });
  return counted;
}

/** The set, not the element: both are told by the same error number. */
function isThere(kernel: Conversation, { target }: Step): boolean {
  return kernel.ask(getSet(target.family, target.set), () => undefined) === 0;
}
