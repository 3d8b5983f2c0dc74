import type { Field } from './field.ts';
import { describe, shorten } from './node.ts';

const UNITS: Readonly<Record<string, number>> = Object.freeze({
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
});
const TERM = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Milliseconds of a duration as Go writes it (`1h2m3.5s`, `250ms`, `-1s`, `0`); undefined when it is none. */
export function parseDuration(written: string): number | undefined {
  if (written.length > 60) return undefined;
  const sign = written.startsWith('-') ? -1 : 1;
  const body = written.replace(/^[-+]/, '');
  if (body === '0') return 0;
  if (body === '') return undefined;
  let total = 0;
  TERM.lastIndex = 0;
  while (TERM.lastIndex < body.length) {
    const term = TERM.exec(body);
    if (term === null) return undefined;
    total += Number(term[1]) * (UNITS[term[2] ?? ''] ?? Number.NaN);
  }
  return sign * total;
}

/** protobuf's Duration ends here: ten thousand years. */
const MOST_MS = 315_576_000_000_000;

/** A duration in milliseconds, `leastMs` or longer. */
export function duration(field: Field, leastMs: number): number | undefined {
  const { node } = field;
  if (node === undefined) return undefined;
  const written = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
  const value = written === undefined ? undefined : parseDuration(written);
  if (value === undefined) {
    const plain = node.kind === 'scalar' && typeof node.value === 'number' ? `${node.value}s` : '5s';
    const found = written === undefined ? describe(node) : `"${shorten(written)}"`;
    field.error('bad-duration', `must be a duration, not ${found}`, `write a number and a unit, as ${plain}, 250ms or 1h2m3.5s`);
    return undefined;
  }
  const whole = Math.round(value);
  if (Math.abs(value - whole) > 1e-7) {
    field.error('out-of-range', `the duration ${shorten(written ?? '')} is finer than a millisecond`, 'use whole milliseconds');
    return undefined;
  }
  if (value < leastMs || value > MOST_MS) {
    field.error(
      'out-of-range',
      `the duration ${shorten(written ?? '')} is out of range`,
      leastMs === 0 ? 'it must not be negative' : `use ${leastMs}ms or more`,
    );
    return undefined;
  }
  return whole;
}
