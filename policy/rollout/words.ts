import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { ObservedCall } from '../observed/call.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** As `168h`, `45m` or `30s`, rounded down: what is not whole has not been reached. */
export function span(ms: number): string {
  const atLeast = Math.max(0, ms);
  if (atLeast >= 2 * HOUR) return `${Math.floor(atLeast / HOUR)}h`;
  if (atLeast >= 2 * MINUTE) return `${Math.floor(atLeast / MINUTE)}m`;
  return `${Math.floor(atLeast / SECOND)}s`;
}

/** As `2026-11-18T03:00:00Z`. */
export function instant(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** To the millisecond, as `2026-11-18T03:00:00.250Z`: a step and what followed it are told apart. */
export function moment(at: number): string {
  return new Date(at).toISOString();
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Who called, as people know them. */
export function callerText({ principal, caller, address }: ObservedCall): string {
  const identity = principal === undefined ? undefined : withoutScheme(principal);
  if (identity !== undefined) return identity;
  if (caller !== undefined) return address === undefined ? caller : `${caller} (${address})`;
  return address ?? 'an unknown caller';
}

/** As `10.1.2.3 to shop/cart:8080 GET /items, 12 calls, the last 2026-11-18T03:00:00Z`. */
export function callText(call: ObservedCall): string {
  const port = call.port === undefined ? '' : `:${call.port}`;
  const what = [call.method, call.path].filter((part) => part !== undefined).join(' ');
  const called = `${callerText(call)} to ${call.destination}${port}${what === '' ? '' : ` ${what}`}`;
  return `${called}, ${counted(call.count, 'call')}, the last ${instant(call.lastSeen)}`;
}
