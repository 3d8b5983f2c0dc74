import type { Counts } from '../api/graph.ts';

/** How an edge is drawn: always by colour and by dashes. */
export type Look = 'mtls' | 'plain' | 'denied' | 'would' | 'unreached' | 'granted' | 'ungranted';

export const LOOKS: readonly { readonly look: Look; readonly name: string; readonly sign: string }[] = Object.freeze([
  { look: 'mtls', name: 'mutual TLS', sign: '' },
  { look: 'plain', name: 'plain text', sign: '' },
  { look: 'denied', name: 'denied', sign: '✕' },
  { look: 'would', name: 'would be denied', sign: '!' },
  { look: 'unreached', name: 'never arrived', sign: '' },
]);

/** The kinds of calls that an edge has, worst first. */
export function looksOf(counts: Counts): readonly Look[] {
  const { calls, denied, wouldBeDenied, plain, unreached } = counts;
  const looks: Look[] = [];
  if (denied > 0) looks.push('denied');
  if (wouldBeDenied > 0) looks.push('would');
  if (plain > 0) looks.push('plain');
  if (calls - plain - unreached > 0) looks.push('mtls');
  if (unreached > 0) looks.push('unreached');
  return looks;
}

/** The line tells of most of the calls; denied ones beside others are told by a sign on it. */
export function lineLook(counts: Counts): Look {
  const { calls, denied, wouldBeDenied, plain, unreached } = counts;
  if (calls > 0 && denied * 2 > calls) return 'denied';
  if (calls > 0 && unreached === calls) return 'unreached';
  if (wouldBeDenied * 2 > calls) return 'would';
  return plain > 0 ? 'plain' : 'mtls';
}

export function sign(counts: Counts): string {
  return counts.denied > 0 ? '✕' : counts.wouldBeDenied > 0 ? '!' : '';
}

export function strokeWidth(calls: number): number {
  return Math.min(4, 1.3 + Math.log10(Math.max(1, calls)) * 0.45);
}
