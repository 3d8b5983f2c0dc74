import type { RolloutOrder } from './ports.ts';
import { isStage } from './record.ts';

type ParsedOrder = { readonly ok: true; readonly value: RolloutOrder } | { readonly ok: false; readonly reason: string };

const LONGEST_NAME = 512;
const LONGEST_REASON = 1000;
const CONTROL = /\p{Cc}/u;
const KNOWN: ReadonlySet<string> = new Set(['by', 'reason', 'to', 'force']);

export const ORDERS = Object.freeze(['advance', 'rollback', 'pause', 'resume', 'renew'] as const);

/** An order by its name and `{by, reason, to?, force?}`. */
export function parseOrderBody(name: string, body: unknown): ParsedOrder {
  const refused = (reason: string): ParsedOrder => ({ ok: false, reason });
  const kind = ORDERS.find((one) => one === name);
  if (kind === undefined) return refused(`there is no order ${name}: ${ORDERS.join(', ')} are`);
  if (typeof body !== 'object' || body === null) return refused('an order is {"by": WHO, "reason": WHY}');
  const fields: Readonly<Record<string, unknown>> = { ...body };
  const unknown = Object.keys(fields).find((field) => !KNOWN.has(field));
  if (unknown !== undefined) return refused(`unknown field ${JSON.stringify(unknown.slice(0, 40))}`);
  const { by, reason = '', to, force = false } = fields;
  if (typeof by !== 'string' || by === '' || by.length > LONGEST_NAME || CONTROL.test(by))
    return refused('by: the name of a user');
  if (typeof reason !== 'string' || reason.length > LONGEST_REASON || CONTROL.test(reason))
    return refused(`reason: one line of at most ${LONGEST_REASON} characters`);
  if (to !== undefined && !isStage(to)) return refused('to: one of observe, strict, dry-run and enforce');
  if (typeof force !== 'boolean') return refused('force: true or false');
  if (force && kind !== 'advance') return refused('force goes with advance only');
  if (to !== undefined && kind !== 'advance' && kind !== 'rollback') return refused('to goes with advance and rollback only');
  if (force && reason.trim() === '') return refused('an override is kept with its reason: give one');
  switch (kind) {
    case 'advance':
      return { ok: true, value: { kind, by, reason, force, ...(to === undefined ? {} : { to }) } };
    case 'rollback':
      return { ok: true, value: { kind, by, reason, ...(to === undefined ? {} : { to }) } };
    case 'pause':
    case 'resume':
    case 'renew':
      return { ok: true, value: { kind, by, reason } };
    default:
      return kind satisfies never;
  }
}
