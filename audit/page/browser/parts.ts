import type { CertificateSummary, ProxySummary } from '../api/details.ts';
import { type Child, h } from './dom.ts';
import { duration, told } from './format.ts';

/** Pieces that panels and lists share. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  return h('section', {}, h('h3', {}, title), children);
}

export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  return h(
    'dl',
    { class: 'facts' },
    pairs.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}

export type Tone = 'good' | 'bad' | 'warn' | 'calm';

/** A word with a colour; the word alone says it. */
export function tag(tone: Tone, text: string): HTMLElement {
  return h('span', { class: `tag ${tone}` }, text);
}

export function identity(id: string): HTMLElement {
  return h('code', { class: 'identity' }, told(id.replace(/^spiffe:\/\//, '')));
}

const SOON = 0.1;

/** How much of its life is left, in words and as a bar. */
export function life({ notBefore, notAfter }: Pick<CertificateSummary, 'notBefore' | 'notAfter'>, now: number): HTMLElement {
  const [from, to] = [Date.parse(notBefore), Date.parse(notAfter)];
  const left = Math.max(0, Math.min(1, (to - now) / Math.max(1, to - from)));
  const text = to <= now ? `expired ${duration(now - to)} ago` : `${duration(to - now)} left`;
  const bar = h('span', { class: 'life', 'aria-hidden': 'true' }, h('span', { class: 'left' }));
  bar.style.setProperty('--left', `${Math.round(left * 100)}%`);
  return h('span', { class: `lifetime ${to <= now ? 'bad' : left < SOON ? 'warn' : ''}` }, bar, text);
}

export function certificate(one: CertificateSummary, now: number): HTMLElement {
  return h(
    'div',
    { class: 'card' },
    h('p', {}, identity(one.identity)),
    facts([
      ['Validity', life(one, now)],
      ['Serial', h('code', {}, one.serial)],
      ['Key', one.key],
      ['Issued on', told(one.evidence)],
      ['Until', new Date(one.notAfter).toLocaleString()],
    ]),
  );
}

const STATES: Readonly<Record<ProxySummary['state'], readonly [Tone, string]>> = Object.freeze({
  synced: ['good', 'in sync'],
  waiting: ['warn', 'behind'],
  rejected: ['bad', 'rejected'],
  unknown: ['warn', 'pod not in the mesh'],
});

export function proxyState({ state }: ProxySummary): HTMLElement {
  const [tone, text] = STATES[state];
  return tag(tone, text);
}
