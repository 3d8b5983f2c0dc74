import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import {
  DEFAULT_REASON,
  parseIdentity,
  parseSerial,
  parseText,
  type RevocationRecord,
  type RevocationTarget,
} from '../../ca/revocation/revocation.ts';
import type { Revocations } from '../../ca/revocation/revocations.ts';
import type { AdminRoutes } from './admin-socket.ts';

/** What to cut off, or to take back. */
export interface RevocationOrder extends Pick<RevocationRecord, 'reason' | 'by'> {
  readonly target: RevocationTarget;
  readonly undo: boolean;
}

/** Reads an order, from the command line or from the socket. */
export function parseOrder(value: unknown): Parsed<RevocationOrder> {
  const fields = typeof value === 'object' && value !== null ? new Map<string, unknown>(Object.entries(value)) : undefined;
  const [serial, identity, undo] = [fields?.get('serial'), fields?.get('identity'), fields?.get('undo') ?? false];
  const [reason, by] = [fields?.get('reason') ?? DEFAULT_REASON, fields?.get('by') ?? ''];
  if (typeof undo !== 'boolean' || typeof reason !== 'string' || typeof by !== 'string') return refused('the order is malformed');
  const target = parseTarget(serial, identity);
  if (!target.ok) return target;
  for (const [name, text] of [
    ['reason', reason],
    ['by', by],
  ] as const) {
    const line = parseText(text);
    if (!line.ok) return refused(`${name}: ${line.reason}`);
  }
  return parsed({ target: target.value, reason, by, undo });
}

function parseTarget(serial: unknown, identity: unknown): Parsed<RevocationTarget> {
  if (typeof serial === 'string' && identity === undefined) {
    const number = parseSerial(serial);
    return number.ok ? parsed({ kind: 'serial', serial: number.value }) : refused(`serial: ${number.reason}`);
  }
  if (typeof identity === 'string' && serial === undefined) {
    const id = parseIdentity(identity);
    return id.ok ? parsed({ kind: 'identity', identity: id.value }) : refused(`identity: ${id.reason}`);
  }
  return refused('give either a serial number or an identity');
}

/** `GET /revocation` lists, `POST /revocation` cuts off or, with `undo`, lifts. */
export function revocationRoutes(revocations: Revocations): AdminRoutes {
  return (app) => {
    app.get('/revocation', () => ({ revocations: revocations.list() }));
    app.post('/revocation', async ({ body }, reply) => {
      const order = parseOrder(body);
      if (!order.ok) return reply.code(400).send({ error: order.reason });
      const { target, undo, reason, by } = order.value;
      const done = undo ? await revocations.undo(target) : await revocations.revoke(target, { reason, by });
      return done.ok ? { revocation: done.value } : reply.code(409).send({ error: done.reason });
    });
  };
}
