import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { parseOrderBody } from '../../policy/rollout/order.ts';
import type { RolloutOrder } from '../../policy/rollout/ports.ts';
import { isJson } from '../api/json.ts';

/** On a NamespaceRollout: what somebody wants done, `{id, action, by, reason, to?, force?}`. Who may patch the object may order; the webhook vouches for `by`. */
export const ORDER_ANNOTATION = 'gatehouse.dev/rollout-order';

export interface WrittenOrder {
  /** Chosen by whoever orders. An order is acted on once: another needs another id. */
  readonly id: string;
  readonly order: RolloutOrder;
}

const LONGEST_TEXT = 4096;
const ID = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

/** Reads an order as it stands in the annotation: somebody may have written it by hand. */
export function parseOrder(text: string): Parsed<WrittenOrder> {
  if (text.length > LONGEST_TEXT) return refused(`longer than ${LONGEST_TEXT} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('not JSON');
  }
  if (!isJson(value)) return refused('not a JSON object');
  const { id, action, ...body } = value;
  if (typeof id !== 'string' || !ID.test(id)) return refused('id: 1 to 64 letters, digits, dots, dashes and underscores');
  if (typeof action !== 'string') return refused('action: what is to be done, as "advance"');
  const order = parseOrderBody(action.slice(0, 40), body);
  return order.ok ? parsed({ id, order: order.value }) : refused(order.reason);
}

export function orderText({ id, order: { kind, ...body } }: WrittenOrder): string {
  return JSON.stringify({ id, action: kind, ...body });
}
