import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, nodeAt, textAt } from '../node-path.ts';
import { type Node, shorten, valueOf } from '../node.ts';
import { matchCovers, type Match } from './match-covers.ts';
import { foundInEach } from '../../model/found-in.ts';
import { finding, type Inventory } from './inventory.ts';
import type { Written } from '../written.ts';

interface Earlier {
  readonly rule: number;
  readonly at: number;
  readonly match: Match;
  readonly text: string;
}

function isMatch(value: unknown): value is Match {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a match asks; names and statistics are no part of it. */
function readMatch(node: Node): Match {
  const value = valueOf(node);
  if (!isMatch(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'name' && name !== 'statPrefix'));
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isMatch(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

function nameOf(route: Node, protocol: string, at: number): string {
  const name = textAt(route, 'name');
  return name === '' ? `${protocol}[${at}]` : `${protocol}[${at}] (${shorten(name)})`;
}

/** The prefix that every path has: matches beside it in one route are there to be read. */
function isCatchAll({ uri, ...rest }: Match): boolean {
  return isMatch(uri) && uri['prefix'] === '/' && Object.keys(rest).length === 0;
}

/** Matches of one VirtualService beyond which nothing is said: comparing all pairs would take too long. */
const MOST_MATCHES = 300;

function ofRoutes(service: Written, protocol: 'http' | 'tls' | 'tcp'): readonly Diagnostic[] {
  const routes = itemsAt(service.node, 'spec', protocol);
  const earlier: Earlier[] = [];
  let open: number | undefined;
  return routes.flatMap((route, rule) => {
    const field = `spec.${protocol}[${rule}]`;
    if (open !== undefined) {
      // Of HTTP routes this is said when the object is read.
      if (protocol === 'http') return [];
      const taken = routes[open];
      return [
        finding(
          service,
          field,
          'warning',
          'unreachable-route',
          `is never reached: ${taken === undefined ? '' : nameOf(taken, protocol, open)} before it has no match and takes all`,
          'put the route without match last, or remove one of them',
        ),
      ];
    }
    const matches = itemsAt(route, 'match').map(readMatch);
    if (matches.length === 0 || (protocol === 'http' && matches.some(isCatchAll))) open = rule;
    const own = matches.map((match, at): Earlier => ({ rule, at, match, text: canonical(match) }));
    const found = own.map(({ match, text, at }) => ({
      at,
      by: [...earlier, ...own.slice(0, at)].find(
        (one) => one.text === text || (matchCovers(one.match, match, protocol) && !(one.rule === rule && isCatchAll(one.match))),
      ),
      text,
    }));
    if (earlier.length < MOST_MATCHES) earlier.push(...own);
    const whole = own.length > 0 && found.every(({ by }) => by !== undefined && by.rule !== rule);
    const equal = whole && found.every(({ by, text }) => by?.text === text);
    const result = found.flatMap(({ at, by }) => {
      const winner = by === undefined ? undefined : routes[by.rule];
      if (by === undefined || winner === undefined) return [];
      const where =
        by.rule === rule ? `match[${by.at}] of the same route` : `match[${by.at}] of ${nameOf(winner, protocol, by.rule)}`;
      return [
        finding(
          service,
          `${field}.match[${at}]`,
          by.rule === rule ? 'info' : 'warning',
          'shadowed-match',
          `decides nothing: whatever it matches, ${where} takes before${whole && !equal ? '; nor do the others, so this route is never reached' : ''}`,
          by.rule === rule ? 'remove it, or narrow the other' : 'put the narrower match first',
        ),
      ];
    });
    if (!equal) return result;
    return [
      ...result,
      finding(
        service,
        field,
        'warning',
        'unreachable-route',
        'is never reached: each of its matches stands in a route before it',
        'remove the route, or change its matches',
      ),
    ];
  });
}

const inRoutes = foundInEach<Written, Diagnostic>((service) =>
  nodeAt(service.node, 'spec') === undefined
    ? []
    : [...ofRoutes(service, 'http'), ...ofRoutes(service, 'tls'), ...ofRoutes(service, 'tcp')],
);

/** Routes and matches behind others that take all they would. */
export function routeMatches(inventory: Inventory): readonly Diagnostic[] {
  return inRoutes(inventory.istio('VirtualService'));
}
