import type { Look } from './appearance.ts';
import { keep, read } from './remembered.ts';

export type View = 'graph' | 'rollout' | 'calls' | 'access' | 'certificates' | 'proxies';

export const VIEWS: readonly { readonly view: View; readonly name: string }[] = Object.freeze([
  { view: 'graph', name: 'Graph' },
  { view: 'rollout', name: 'Rollout' },
  { view: 'calls', name: 'Calls' },
  { view: 'access', name: 'Access' },
  { view: 'certificates', name: 'Certificates' },
  { view: 'proxies', name: 'Proxies' },
]);

export type Selection =
  | { readonly kind: 'edge'; readonly source: string; readonly target: string }
  | { readonly kind: 'node'; readonly id: string }
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'rollout'; readonly namespace: string }
  /** Several edges that are drawn as one, between collapsed namespaces. */
  | { readonly kind: 'bundle'; readonly source: string; readonly target: string };

/** What the reader chose. */
export interface State {
  readonly view: View;
  readonly rangeMs: number;
  /** The end of the range; undefined: now, and following. */
  readonly until: number | undefined;
  /** A part of the range that was chosen; undefined: all of it. */
  readonly window: { readonly since: number; readonly until: number } | undefined;
  readonly looks: ReadonlySet<Look>;
  /** Empty: all. */
  readonly namespaces: ReadonlySet<string>;
  readonly quiet: boolean;
  readonly overlay: boolean;
  readonly collapsed: ReadonlySet<string>;
  readonly selection: Selection | undefined;
  readonly search: string;
}

const ALL_LOOKS: ReadonlySet<Look> = new Set<Look>(['mtls', 'plain', 'denied', 'would', 'unreached']);
const MINUTE = 60_000;

export const RANGES: readonly { readonly ms: number; readonly name: string }[] = Object.freeze([
  { ms: 15 * MINUTE, name: '15 minutes' },
  { ms: 60 * MINUTE, name: '1 hour' },
  { ms: 6 * 60 * MINUTE, name: '6 hours' },
  { ms: 24 * 60 * MINUTE, name: '24 hours' },
  { ms: 7 * 24 * 60 * MINUTE, name: '7 days' },
  { ms: 30 * 24 * 60 * MINUTE, name: '30 days' },
  { ms: 90 * 24 * 60 * MINUTE, name: '90 days' },
]);

const CHOICES = 'gatehouse.choices.1';

export function initialState(): State {
  const hash = new URLSearchParams(location.hash.slice(1));
  const view = VIEWS.find((one) => one.view === hash.get('view'))?.view ?? 'graph';
  const range = RANGES.find(({ ms }) => ms === Number(hash.get('range') ?? read(CHOICES)))?.ms ?? 60 * MINUTE;
  const namespaces = hash.getAll('namespace');
  return {
    view,
    rangeMs: range,
    until: undefined,
    window: undefined,
    looks: ALL_LOOKS,
    namespaces: new Set(namespaces),
    quiet: true,
    overlay: hash.get('overlay') === '1',
    collapsed: new Set(),
    selection: undefined,
    search: '',
  };
}

/** The address tells what is shown, so that it can be kept and passed on. */
export function keepState({ view, rangeMs, namespaces, overlay }: State): void {
  const hash = new URLSearchParams({ view, range: String(rangeMs) });
  for (const name of namespaces) hash.append('namespace', name);
  if (overlay) hash.set('overlay', '1');
  history.replaceState(null, '', `#${hash.toString()}`);
  keep(CHOICES, String(rangeMs));
}

/** What is asked for: whole minutes, as the store counts. */
export function periodOf({ rangeMs, until, window }: State, now: number): { readonly since: number; readonly until: number } {
  if (window !== undefined) return window;
  const end = Math.ceil((until ?? now) / MINUTE) * MINUTE;
  return { since: end - rangeMs, until: end };
}
